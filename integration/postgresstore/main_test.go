package postgresstore_test

import (
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/integration/internal/sqlstores"
)

func TestMain(m *testing.M) { servers.Main(m) }

// server is what postgresstore is for.
type server struct {
	name  string
	fresh func(t testing.TB) string // makes the DSN of an empty database
}

// otherSettings are settings of the session that make no difference, in a DSN.
const otherSettings = "&default_transaction_isolation=serializable&timezone=Asia/Kathmandu&enable_seqscan=off" +
	"&default_query_exec_mode=simple_protocol"

func withOtherSettings(tb testing.TB) string {
	tb.Helper()
	return servers.Postgres15(tb) + otherSettings
}

func throughPgBouncer(tb testing.TB) string {
	tb.Helper()
	return servers.PgBouncer(tb) + "&default_query_exec_mode=exec"
}

// onEachServer runs test on PostgreSQL 18, and on PostgreSQL 15 behind PgBouncer.
func onEachServer(t *testing.T, test func(t *testing.T, s server)) {
	t.Helper()
	onServers(t, test, server{"PostgreSQL 18", servers.Postgres}, server{"PgBouncer", throughPgBouncer})
}

func onServers(t *testing.T, test func(t *testing.T, s server), all ...server) {
	t.Helper()
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

func openDB(tb testing.TB, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(tb, err)
	return sqlstores.Keep(tb, db)
}

func topics() cqrsfeed.Topics { return cqrsfeed.TopicsOf("item") }

func newStore(tb testing.TB, db *sql.DB) *postgresstore.Store {
	tb.Helper()
	store, err := postgresstore.New(db, postgresstore.Config{})
	require.NoError(tb, err)
	return store
}

func openOutbox(tb testing.TB, db *sql.DB) *postgresstore.Outbox {
	tb.Helper()
	store := newStore(tb, db)
	require.NoError(tb, store.EnsureSchema(tb.Context()))
	return store.Outbox()
}

func openRepository(tb testing.TB, db *sql.DB) (*postgresstore.Repository[cqrsfeedtest.Body], *postgresstore.Outbox) {
	tb.Helper()
	store := newStore(tb, db)
	repository, err := postgresstore.NewRepository[cqrsfeedtest.Body](store, "item")
	require.NoError(tb, err)
	require.NoError(tb, store.EnsureSchema(tb.Context()))
	return repository, store.Outbox()
}

func openFeedStore(tb testing.TB, db *sql.DB) *postgresstore.FeedStore[cqrsfeedtest.Body] {
	tb.Helper()
	store := newStore(tb, db)
	feeds, err := postgresstore.NewFeedStore[cqrsfeedtest.Body](store, "item")
	require.NoError(tb, err)
	require.NoError(tb, store.EnsureSchema(tb.Context()))
	return feeds
}
