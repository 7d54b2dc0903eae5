package postgresstore_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/feedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/ordertest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/outboxtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/readmodeltest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/repositorytest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/tabletest"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/integration/internal/sqlstores"
)

func TestRepository(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		repositorytest.TestRepository(t, func(t *testing.T) repositorytest.Fixture {
			t.Helper()
			db := openDB(t, s.fresh(t))
			repository, outbox := openRepository(t, db)
			raw, err := postgresstore.NewRepository[json.RawMessage](newStore(t, db), "item")
			require.NoError(t, err)
			return repositorytest.Fixture{Repository: repository, Raw: raw, Outbox: outbox, Topics: topics()}
		})
	})
}

func TestFeedStore(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		feedtest.TestFeedStore(t, func(t *testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body] {
			t.Helper()
			return openFeedStore(t, openDB(t, s.fresh(t)))
		})
	})
}

func TestUnions(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		feedtest.TestUnions(t, func(t *testing.T) cqrsfeed.UnionStore[cqrsfeedtest.Body] {
			t.Helper()
			return openFeedStore(t, openDB(t, s.fresh(t)))
		})
	})
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s server) {
		t.Helper()
		outboxtest.TestOutbox(t, func(t *testing.T) outboxtest.Fixture {
			t.Helper()
			return outboxFixture(t, s.fresh(t))
		})
	}, server{"PostgreSQL 18", servers.Postgres}, server{"PgBouncer", throughPgBouncer},
		server{"PostgreSQL 15 with other settings", withOtherSettings})
}

func outboxFixture(t *testing.T, dsn string) outboxtest.Fixture {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	return newOutboxFixture(t, dsn, stdlib.GetConnector(*config))
}

func newOutboxFixture(t *testing.T, dsn string, connector sqldriver.Connector) outboxtest.Fixture {
	t.Helper()
	db, before := sqlstores.Intercept(t, connector)
	f := sqlstores.OutboxFixture(t, db, newStore(t, db), newStore(t, openDB(t, dsn)), "TRUNCATE TABLE outbox RESTART IDENTITY")
	f.Before = before
	return f
}

// TestOutboxOfAPool has the store on a pool of pgx, and messages are added in transactions of pgx.
func TestOutboxOfAPool(t *testing.T) {
	t.Parallel()
	outboxtest.TestOutbox(t, func(t *testing.T) outboxtest.Fixture {
		t.Helper()
		dsn := servers.Postgres(t)
		pool := openPool(t, dsn)
		f := newOutboxFixture(t, dsn, stdlib.GetPoolConnector(pool))
		queue, ok := f.Outbox.(*postgresstore.Outbox)
		require.True(t, ok)
		f.Transaction = func(ctx context.Context, do func(message.Publisher) error) error {
			err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return do(postgresstore.Publisher(queue, tx)) })
			if err == nil {
				queue.Committed()
			}
			return err
		}
		return f
	})
}

func openPool(t *testing.T, dsn string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	config.MaxConns = sqlstores.Connections
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func TestOrder(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		dsn := s.fresh(t)
		open := func() (*postgresstore.Repository[string], *postgresstore.Outbox) {
			store, err := postgresstore.New(openDB(t, dsn), postgresstore.Config{Topics: cqrsfeed.PartitionsOf})
			require.NoError(t, err)
			repository, err := postgresstore.NewRepository[string](store, "item")
			require.NoError(t, err)
			require.NoError(t, store.EnsureSchema(t.Context()))
			return repository, store.Outbox()
		}
		repository, outbox := open()
		_, other := open()
		ordertest.TestOrder(t, ordertest.Fixture{
			Repository: repository, Topics: repository.Topics(), Outbox: outbox, Other: other,
		})
	})
}

func TestRebuild(t *testing.T) {
	t.Parallel()
	readmodeltest.TestRebuild(t, func(t *testing.T) readmodel.Store[cqrsfeedtest.Body] {
		t.Helper()
		return openFeedStore(t, openDB(t, servers.Postgres(t)))
	})
}

func TestAudit(t *testing.T) {
	t.Parallel()
	readmodeltest.TestAudit(t, func(t *testing.T) readmodeltest.AuditFixture {
		t.Helper()
		db := openDB(t, withOtherSettings(t))
		return readmodeltest.AuditFixture{
			Store:   openFeedStore(t, db),
			Entries: true,
			Break: func(t *testing.T, damage readmodeltest.Damage) {
				t.Helper()
				breakTables(t, db, damage)
			},
		}
	})
}

func breakTables(t *testing.T, db *sql.DB, damage readmodeltest.Damage) {
	t.Helper()
	if damage.Kind == readmodeltest.ItemFeeds {
		_, err := db.ExecContext(t.Context(), "DELETE FROM item_feed_entries WHERE item = $1", damage.Item)
		require.NoError(t, err)
		_, err = db.ExecContext(t.Context(), `INSERT INTO item_feed_entries (feed, created_at, item)
			SELECT unnest($1::text[]), created_at, id FROM item_feed_items WHERE id = $2`, damage.Feeds, damage.Item)
		require.NoError(t, err)
		return
	}
	damages := map[readmodeltest.DamageKind]struct {
		query string
		args  []any
	}{
		readmodeltest.ItemGone:    {"DELETE FROM item_feed_items WHERE id = $1", []any{damage.Item}},
		readmodeltest.ItemVersion: {"UPDATE item_feed_items SET v = $1 WHERE id = $2", []any{damage.Number, damage.Item}},
		readmodeltest.ItemBody:    {`UPDATE item_feed_items SET body = '{"text":"broken"}' WHERE id = $1`, []any{damage.Item}},
		readmodeltest.ItemGarbage: {"UPDATE item_feed_items SET body = 'garbage' WHERE id = $1", []any{damage.Item}},
		readmodeltest.ItemUpdated: {"UPDATE item_feed_items SET updated_at = $1 WHERE id = $2", []any{damage.Number, damage.Item}},
		readmodeltest.CountWrong:  {"UPDATE item_feed_feeds SET count = $1 WHERE name = $2", []any{damage.Number, damage.Feed}},
		readmodeltest.FeedGone:    {"DELETE FROM item_feed_feeds WHERE name = $1", []any{damage.Feed}},
		readmodeltest.EntryGone:   {"DELETE FROM item_feed_entries WHERE feed = $1 AND item = $2", []any{damage.Feed, damage.Item}},
		readmodeltest.EntryStray: {
			"INSERT INTO item_feed_entries (feed, created_at, item) SELECT $1, created_at, id FROM item_feed_items WHERE id = $2",
			[]any{damage.Feed, damage.Item},
		},
		readmodeltest.EntryMoved: {"UPDATE item_feed_entries SET created_at = $1 WHERE feed = $2 AND item = $3", []any{damage.Number, damage.Feed, damage.Item}},
	}
	result, err := db.ExecContext(t.Context(), damages[damage.Kind].query, damages[damage.Kind].args...)
	require.NoError(t, err)
	changed, err := result.RowsAffected()
	require.NoError(t, err)
	require.Positive(t, changed, "%v", damage)
}

func TestTableProjection(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s server) {
		t.Helper()
		tabletest.TestProjection(t, func(t *testing.T) tabletest.Fixture {
			t.Helper()
			db := openDB(t, s.fresh(t))
			store := newStore(t, db)
			return tabletest.Fixture{DB: db, New: func(name string, step tabletest.Step) tabletest.Projection {
				p, err := postgresstore.NewTableProjection(store, name, step)
				require.NoError(t, err)
				require.NoError(t, store.EnsureSchema(t.Context()))
				return p
			}}
		})
	}, server{"PostgreSQL 18", servers.Postgres}, server{"PostgreSQL 15 with other settings", withOtherSettings})
}
