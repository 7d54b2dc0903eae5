package postgresstore_test

import (
	"database/sql"
	"net/url"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/integration/internal/sqlstores"
)

// TestADemotedPrimaryIsLeft: a standby is promoted, and the connections of the pools lead to the old primary, which takes no
// writes any more. The store leaves them, so that new ones reach the new primary. No write fails, and none is lost.
func TestADemotedPrimaryIsLeft(t *testing.T) {
	t.Parallel()
	primary, dsn := servers.OwnPostgres(t)
	direct := openDB(t, dsn)
	openFeedStore(t, direct)
	standby := servers.PostgresStandby(t, primary)
	parsed, err := url.Parse(dsn)
	require.NoError(t, err)
	parsed.Host = standby.Address
	standbyDB := openDB(t, parsed.String())
	require.ErrorContains(t, newStore(t, standbyDB).EnsureSchema(t.Context()), "the server is a standby")

	name := new(sqlstores.Address)
	name.Lead(primary.Address)
	parsed.Host = name.Listen(t)
	pool := openPool(t, parsed.String())
	ofPool := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { require.NoError(t, ofPool.Close()) })
	dbs := map[string]*sql.DB{"sql": openDB(t, parsed.String()), "pool": ofPool}
	repositories := map[string]*postgresstore.Repository[cqrsfeedtest.Body]{}
	for kind, db := range dbs {
		repository, _ := openRepository(t, db)
		repositories[kind] = repository
		sqlstores.Fill(t, db, sqlstores.Connections-1)
		_, err = repository.Create(t.Context(), "before-"+kind, cqrsfeedtest.Body{})
		require.NoError(t, err)
	}

	promote(t, direct, standbyDB)
	name.Lead(standby.Address)
	for kind, db := range dbs {
		store, repository := newStore(t, db), repositories[kind]
		for _, id := range []string{"one-", "two-", "three-"} {
			_, err := repository.Create(t.Context(), id+kind, cqrsfeedtest.Body{})
			require.NoError(t, err, kind)
		}
		for range sqlstores.Connections + 1 { // InTx fails once with each connection that is left
			err = store.InTx(t.Context(), func(tx *sql.Tx) error {
				return store.Outbox().Add(t.Context(), tx, "t", message.NewMessage("1", nil))
			})
		}
		require.NoError(t, err, kind)
		_, err = repository.Get(t.Context(), "before-"+kind)
		require.NoError(t, err, "what was accepted before the failover")
	}
	var items int
	require.NoError(t, standbyDB.QueryRowContext(t.Context(), "SELECT count(*) FROM item").Scan(&items))
	assert.Equal(t, 8, items)
}

// promote makes the standby the primary when it has all of the old one's, which then takes no writes.
func promote(t *testing.T, primary, standby *sql.DB) {
	t.Helper()
	for _, statement := range []string{"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"} {
		_, err := primary.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		var readOnly string
		require.NoError(t, primary.QueryRowContext(t.Context(), "SHOW default_transaction_read_only").Scan(&readOnly))
		return readOnly == "on"
	}, time.Minute, 10*time.Millisecond)
	var written string
	require.NoError(t, primary.QueryRowContext(t.Context(), "SELECT pg_current_wal_flush_lsn()::text").Scan(&written))
	require.Eventually(t, func() bool {
		var replayed bool
		require.NoError(t, standby.QueryRowContext(t.Context(), "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", written).Scan(&replayed))
		return replayed
	}, time.Minute, 10*time.Millisecond)
	var promoted bool
	require.NoError(t, standby.QueryRowContext(t.Context(), "SELECT pg_promote()").Scan(&promoted))
	require.True(t, promoted)
}
