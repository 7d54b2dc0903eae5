package postgresstore_test

import (
	"database/sql"
	"net/url"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/integration/internal/livetest"
	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// newLive returns a Live of a store of its own, which listens on another database if there is one.
func newLive(t *testing.T, db, listens *sql.DB) *postgresstore.Live {
	t.Helper()
	store := newStore(t, db)
	live, err := postgresstore.NewLive(store, postgresstore.LiveConfig{DB: listens}, watermill.NopLogger{})
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	t.Cleanup(func() { assert.NoError(t, live.Close()) })
	return live
}

func TestLive(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]func(t *testing.T) (db, listens *sql.DB){
		"PostgreSQL 18": func(t *testing.T) (*sql.DB, *sql.DB) {
			t.Helper()
			return openDB(t, servers.Postgres(t)), nil
		},
		"pool of pgx": func(t *testing.T) (*sql.DB, *sql.DB) {
			t.Helper()
			db := stdlib.OpenDBFromPool(openPool(t, servers.Postgres(t)))
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			return db, nil
		},
		"other settings": func(t *testing.T) (*sql.DB, *sql.DB) {
			t.Helper()
			return openDB(t, withOtherSettings(t)), nil
		},
		"PgBouncer": func(t *testing.T) (*sql.DB, *sql.DB) {
			t.Helper()
			dsn := throughPgBouncer(t)
			return openDB(t, dsn), openDB(t, pastPgBouncer(t, dsn))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			livetest.Test(t, func(t *testing.T) livetest.Open {
				t.Helper()
				db, listens := fresh(t)
				return func(t *testing.T) feedmill.Live {
					t.Helper()
					return newLive(t, db, listens)
				}
			})
		})
	}
}

// pastPgBouncer returns the DSN of the same database at the server itself.
func pastPgBouncer(t *testing.T, dsn string) string {
	t.Helper()
	bouncer, err := url.Parse(dsn)
	require.NoError(t, err)
	server, err := url.Parse(servers.Postgres15(t))
	require.NoError(t, err)
	server.Path = bouncer.Path
	return server.String()
}

// TestAPoolerPassesNoNotificationsOn: Subscribe says what to set. So it does where the DB leads to another database.
func TestAPoolerPassesNoNotificationsOn(t *testing.T) {
	t.Parallel()
	bouncer := newLive(t, openDB(t, throughPgBouncer(t)), nil)
	_, err := bouncer.Subscribe(t.Context(), "a")
	require.ErrorContains(t, err, "set LiveConfig.DB")
	elsewhere := newLive(t, openDB(t, servers.Postgres(t)), openDB(t, servers.Postgres(t)))
	_, err = elsewhere.Subscribe(t.Context(), "a")
	require.ErrorContains(t, err, "to the same database")
}

// listens counts the connections that listen.
const listens = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"

func TestALostConnectionEndsTheSubscriptions(t *testing.T) {
	t.Parallel()
	db := openDB(t, servers.Postgres(t))
	one, other := newLive(t, db, nil), newLive(t, db, nil)
	a, b := livetest.Subscribe(t, other, "a"), livetest.Subscribe(t, other, "b")
	var connections int
	require.NoError(t, db.QueryRowContext(t.Context(), listens).Scan(&connections))
	require.Equal(t, 1, connections, "subscriptions share it")
	var ended int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "+
		"WHERE datname = current_database() AND query LIKE 'LISTEN%'").Scan(&ended))
	require.Equal(t, 1, ended)
	require.Nil(t, livetest.Next(t, a))
	require.Nil(t, livetest.Next(t, b))

	again := livetest.Subscribe(t, other, "a")
	livetest.Publish(t, one, "a", "1", "")
	require.Equal(t, "1", livetest.Next(t, again).UUID)
	require.NoError(t, other.Close())
	require.Eventually(t, func() bool {
		require.NoError(t, db.QueryRowContext(t.Context(), listens).Scan(&connections))
		return connections == 0
	}, time.Minute, time.Millisecond, "the connection does not return to the pool")
}

// TestADeafConnectionIsGivenUp: a network has lost it without a word.
func TestADeafConnectionIsGivenUp(t *testing.T) {
	t.Parallel()
	dsn, err := url.Parse(servers.Postgres(t))
	require.NoError(t, err)
	network, err := ssestreamtest.StartProxy("http://" + dsn.Host)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, network.Close()) })
	through, err := url.Parse(network.URL())
	require.NoError(t, err)
	db := openDB(t, dsn.String())
	dsn.Host = through.Host
	one, other := newLive(t, db, nil), newLive(t, db, openDB(t, dsn.String()))
	messages := livetest.Subscribe(t, other, "a")
	network.Strand()
	livetest.Publish(t, one, "a", "lost", "")
	require.Nil(t, livetest.Next(t, messages))
	again := livetest.Subscribe(t, other, "a")
	livetest.Publish(t, one, "a", "heard", "")
	require.Equal(t, "heard", livetest.Next(t, again).UUID)
}
