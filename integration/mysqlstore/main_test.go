package mysqlstore_test

import (
	"database/sql"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/integration/internal/sqlstores"
)

func TestMain(m *testing.M) {
	// The driver prints a line for each connection that breaks, which many do here on purpose.
	if err := mysql.SetLogger(&mysql.NopLogger{}); err != nil {
		panic(err)
	}
	servers.Main(m)
}

// server is a database that mysqlstore is for.
type server struct {
	name      string
	fresh     func(t testing.TB) string // makes the DSN of an empty database
	isolation string                    // the variable that has the isolation level
}

// onEachServer runs test on every one.
func onEachServer(t *testing.T, test func(t *testing.T, s server)) {
	t.Helper()
	for _, s := range []server{
		{"MySQL", servers.MySQL, "transaction_isolation"},
		{"MariaDB", servers.MariaDB, "tx_isolation"},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

// withSettings changes a DSN.
func withSettings(t *testing.T, dsn string, change func(*mysql.Config)) string {
	t.Helper()
	config, err := mysql.ParseDSN(dsn)
	require.NoError(t, err)
	change(config)
	return config.FormatDSN()
}

func openDB(tb testing.TB, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("mysql", dsn)
	require.NoError(tb, err)
	return sqlstores.Keep(tb, db)
}

func topics() cqrsfeed.Topics { return cqrsfeed.TopicsOf("item") }

func newStore(tb testing.TB, db *sql.DB) *mysqlstore.Store {
	tb.Helper()
	store, err := mysqlstore.New(db, mysqlstore.Config{})
	require.NoError(tb, err)
	return store
}

func openOutbox(t *testing.T, db *sql.DB) *mysqlstore.Outbox {
	t.Helper()
	store := newStore(t, db)
	require.NoError(t, store.EnsureSchema(t.Context()))
	return store.Outbox()
}

func openRepository(t *testing.T, db *sql.DB) (*mysqlstore.Repository[cqrsfeedtest.Body], *mysqlstore.Outbox) {
	t.Helper()
	store := newStore(t, db)
	repository, err := mysqlstore.NewRepository[cqrsfeedtest.Body](store, "item")
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	return repository, store.Outbox()
}
