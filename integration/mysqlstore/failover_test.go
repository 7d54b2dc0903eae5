package mysqlstore_test

import (
	"database/sql"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/integration/internal/livetest"
	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/integration/internal/sqlstores"
)

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

func addressOf(t *testing.T, dsn string) string {
	t.Helper()
	config, err := mysql.ParseDSN(dsn)
	require.NoError(t, err)
	return config.Addr
}

// newPrimary starts another server, makes the database and the tables of dsn there, and returns its DSN. Both servers have the
// ordinary user.
func newPrimary(t *testing.T, dsn string) string {
	t.Helper()
	old, err := mysql.ParseDSN(dsn)
	require.NoError(t, err)
	_, newDSN := servers.OwnMySQL(t)
	require.NotEqual(t, old.Addr, addressOf(t, newDSN))
	_, err = openDB(t, newDSN).ExecContext(t.Context(), "CREATE DATABASE IF NOT EXISTS "+old.DBName)
	require.NoError(t, err)
	newDSN = withSettings(t, newDSN, func(c *mysql.Config) { c.DBName = old.DBName })
	openRepository(t, openDB(t, newDSN))
	makeOrdinaryUser(t, dsn)
	makeOrdinaryUser(t, newDSN)
	return newDSN
}

// openByName returns a database of the ordinary user, and the name by which it finds the server.
func openByName(t *testing.T, dsn string) (*sqlstores.Address, *sql.DB) {
	t.Helper()
	name := new(sqlstores.Address)
	name.Lead(addressOf(t, dsn))
	return name, openDB(t, withSettings(t, ordinaryUser(t, dsn), func(c *mysql.Config) { c.Addr = name.Listen(t) }))
}

// TestADemotedPrimaryIsLeft: after a failover the connections of the pool work, and lead to a server that takes no writes
// any more. The store leaves them, so that new ones reach the new primary. No write fails.
func TestADemotedPrimaryIsLeft(t *testing.T) {
	t.Parallel()
	onEachOwnServer(t, func(t *testing.T, dsn string) {
		t.Helper()
		newDSN := newPrimary(t, dsn)
		name, db := openByName(t, dsn)
		repository, outbox := openRepository(t, db)
		sqlstores.Fill(t, db, sqlstores.Connections)
		_, err := repository.Create(t.Context(), "before", cqrsfeedtest.Body{})
		require.NoError(t, err)

		name.Lead(addressOf(t, newDSN))
		demote(t, dsn)
		for _, id := range []string{"one", "two", "three"} {
			_, err := repository.Create(t.Context(), id, cqrsfeedtest.Body{})
			require.NoError(t, err)
		}
		for range sqlstores.Connections { // a Drain, and InTx, fail once with each connection that is left
			if _, err = drainRefusingFirst(t, outbox); err == nil {
				break
			}
		}
		require.NoError(t, err)
		store, err := reopen(db)
		require.NoError(t, err)
		for range sqlstores.Connections + 1 {
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

// TestASubscriptionLeavesADemotedPrimary, where it would hear nothing.
func TestASubscriptionLeavesADemotedPrimary(t *testing.T) {
	t.Parallel()
	onEachOwnServer(t, func(t *testing.T, dsn string) {
		t.Helper()
		newDSN := newPrimary(t, dsn)
		name, db := openByName(t, dsn)
		messages := livetest.Subscribe(t, newLive(t, db), "a")
		publisher := newLive(t, openDB(t, newDSN))
		sqlstores.Fill(t, db, sqlstores.Connections)
		name.Lead(addressOf(t, newDSN))
		demote(t, dsn)
		livetest.Publish(t, publisher, "a", "1", "")
		if msg := livetest.Next(t, messages); msg != nil {
			require.Equal(t, "1", msg.UUID)
		}
	})
}
