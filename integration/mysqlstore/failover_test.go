package mysqlstore_test

import (
	"database/sql"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// connections is how many openDB lets a pool keep.
const connections = 8

// onEachOwnServer runs test on servers that it may change.
func onEachOwnServer(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Helper()
	for name, own := range map[string]func(t *testing.T) (*servers.Own, string){"MySQL": servers.OwnMySQL, "MariaDB": servers.OwnMariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dsn := own(t)
			test(t, dsn)
		})
	}
}

// reopen returns a store on the tables of openRepository.
func reopen(db *sql.DB) (*mysqlstore.Store, error) {
	store, err := mysqlstore.New(db, mysqlstore.Config{})
	if err != nil {
		return nil, err
	}
	_, err = mysqlstore.NewRepository[cqrsfeedtest.Body](store, "item")
	return store, err
}

// ordinaryUser returns the DSN of a user who cannot write when the server is read-only.
func ordinaryUser(t *testing.T, dsn string) string {
	t.Helper()
	return withSettings(t, dsn, func(c *mysql.Config) { c.User, c.Passwd = "app", "secret" })
}

// makeOrdinaryUser makes the user of ordinaryUser, who may use the DSN's database.
func makeOrdinaryUser(t *testing.T, dsn string) {
	t.Helper()
	config, err := mysql.ParseDSN(dsn)
	require.NoError(t, err)
	admin := openDB(t, dsn)
	for _, statement := range []string{"CREATE USER app IDENTIFIED BY 'secret'", "GRANT ALL ON " + config.DBName + ".* TO app"} {
		_, err := admin.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
}

// demote makes the server one that takes no writes of ordinary users.
func demote(t *testing.T, dsn string) {
	t.Helper()
	_, err := openDB(t, dsn).ExecContext(t.Context(), "SET GLOBAL read_only = 1")
	require.NoError(t, err)
}

// address is a name that leads to one server and, after a failover, to another. Connections that are open stay where they are.
type address struct {
	mu     sync.Mutex
	target string
}

func (a *address) lead(target string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.target = target
}

// listen accepts connections until the test ends, and returns where.
func (a *address) listen(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			a.mu.Lock()
			target := a.target
			a.mu.Unlock()
			running.Go(func() { join(client, target) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		running.Wait()
	})
	return listener.Addr().String()
}

// join passes bytes between a client and a server until one of them ends.
func join(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
}

// TestADemotedPrimaryIsLeft: after a failover the connections of the pool work, and lead to a server that takes no writes
// any more. The store leaves them, so that new ones reach the new primary. No write fails.
func TestADemotedPrimaryIsLeft(t *testing.T) {
	t.Parallel()
	onEachOwnServer(t, func(t *testing.T, dsn string) {
		t.Helper()
		old, err := mysql.ParseDSN(dsn)
		require.NoError(t, err)
		_, newDSN := servers.OwnMySQL(t)
		primary, err := mysql.ParseDSN(newDSN)
		require.NoError(t, err)
		require.NotEqual(t, old.Addr, primary.Addr)
		_, err = openDB(t, newDSN).ExecContext(t.Context(), "CREATE DATABASE IF NOT EXISTS "+old.DBName)
		require.NoError(t, err)
		newDSN = withSettings(t, newDSN, func(c *mysql.Config) { c.DBName = old.DBName })
		openRepository(t, openDB(t, newDSN))
		makeOrdinaryUser(t, dsn)
		makeOrdinaryUser(t, newDSN)

		name := &address{target: old.Addr}
		db := openDB(t, withSettings(t, ordinaryUser(t, dsn), func(c *mysql.Config) { c.Addr = name.listen(t) }))
		repository, outbox := openRepository(t, db)
		fill(t, db, connections)
		_, err = repository.Create(t.Context(), "before", cqrsfeedtest.Body{})
		require.NoError(t, err)

		name.lead(primary.Addr)
		demote(t, dsn)
		for _, id := range []string{"one", "two", "three"} {
			_, err := repository.Create(t.Context(), id, cqrsfeedtest.Body{})
			require.NoError(t, err)
		}
		for range connections { // a Drain, and InTx, fail once with each connection that is left
			if _, err = drainRefusingFirst(t, outbox); err == nil {
				break
			}
		}
		require.NoError(t, err)
		store, err := reopen(db)
		require.NoError(t, err)
		for range connections + 1 {
			err = store.InTx(t.Context(), func(tx *sql.Tx) error {
				return store.Outbox().Add(t.Context(), tx, "t", message.NewMessage("1", nil))
			})
		}
		require.NoError(t, err)
		backlog, err := outbox.Backlog(t.Context())
		require.NoError(t, err)
		assert.NotZero(t, backlog.Waiting)
	})
}

// fill opens connections and leaves them in the pool.
func fill(t *testing.T, db *sql.DB, n int) {
	t.Helper()
	open := make([]*sql.Conn, n)
	for i := range open {
		var err error
		open[i], err = db.Conn(t.Context())
		require.NoError(t, err)
	}
	for _, conn := range open {
		require.NoError(t, conn.Close())
	}
}
