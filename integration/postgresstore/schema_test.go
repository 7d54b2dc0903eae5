package postgresstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestProcessesThatStartAtOnce all find or create the schema.
func TestProcessesThatStartAtOnce(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	var starting sync.WaitGroup
	for range 8 {
		store := newStore(t, openDB(t, dsn))
		_, err := postgresstore.NewFeedStore[cqrsfeedtest.Body](store, "item")
		require.NoError(t, err)
		starting.Go(func() { assert.NoError(t, store.EnsureSchema(t.Context())) })
	}
	starting.Wait()
}

// TestWhatIsRefused at the start, with what to set.
func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ dsn, statement, want string }{
		"prepared statements behind a pooler": {servers.PgBouncer(t), "", "default_query_exec_mode=exec"},
		"a read-only default":                 {servers.Postgres(t) + "&default_transaction_read_only=on", "", "accept writes"},
		"an unlogged table":                   {servers.Postgres(t), "ALTER TABLE outbox SET UNLOGGED", "SET LOGGED"},
		"another collation":                   {servers.Postgres(t), `ALTER TABLE outbox ALTER COLUMN topic TYPE text COLLATE "en-x-icu"`, "topic; convert"},
		"a column that is missing":            {servers.Postgres(t), "ALTER TABLE outbox DROP COLUMN payload", "must have the columns"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openDB(t, c.dsn)
			if c.statement != "" {
				openOutbox(t, db)
				_, err := db.ExecContext(t.Context(), c.statement)
				require.NoError(t, err)
			}
			require.ErrorContains(t, newStore(t, db).EnsureSchema(t.Context()), c.want)
		})
	}
}

// TestOrdinaryUsers need no right to create tables if these exist. They need one on the sequence of the queue. Without it
// parked messages do not return: they would come behind newer ones.
func TestOrdinaryUsers(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s server) {
		t.Helper()
		dsn := s.fresh(t)
		admin := openDB(t, dsn)
		openOutbox(t, admin)
		as := func(db *sql.DB, statement string) {
			_, err := db.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		as(admin, "CREATE ROLE ordinary LOGIN")
		as(admin, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ordinary")
		config, err := pgx.ParseConfig(dsn)
		require.NoError(t, err)
		db := openDB(t, fmt.Sprintf("postgres://ordinary@%s:%d/%s?sslmode=disable", config.Host, config.Port, config.Database))
		store := newStore(t, db)
		for i, right := range []string{"USAGE", "SELECT"} {
			require.ErrorContains(t, store.EnsureSchema(t.Context()), "GRANT USAGE ON SEQUENCE public.outbox_id_seq TO ordinary")
			as(db, "INSERT INTO outbox (uuid, topic, metadata, payload, created_at) VALUES ('parked', 't', '{}', '', 1)")
			require.Equal(t, []string{"parked"}, drain(t, store.Outbox(), outbox.Park))
			as(db, "INSERT INTO outbox (uuid, topic, metadata, payload, created_at) VALUES ('newer', 't', '{}', '', 1)")
			parked, err := store.Outbox().Parked(t.Context(), "", 10)
			require.NoError(t, err)
			require.Len(t, parked, 1)
			_, err = store.Outbox().Unpark(t.Context(), parked[0].ID)
			require.ErrorContains(t, err, "outbox_id_seq", "round %d", i)

			as(admin, "GRANT "+right+" ON SEQUENCE outbox_id_seq TO ordinary")
			require.NoError(t, store.EnsureSchema(t.Context()))
			_, err = store.Outbox().Unpark(t.Context(), parked[0].ID)
			require.NoError(t, err)
			require.Equal(t, []string{"parked", "newer"}, drain(t, store.Outbox(), outbox.Published))
			as(admin, "REVOKE ALL ON SEQUENCE outbox_id_seq FROM ordinary")
		}
		_, err = db.ExecContext(t.Context(), "CREATE TABLE more (id int)")
		require.Error(t, err)
	}, server{"PostgreSQL 18", servers.Postgres}, server{"PostgreSQL 15", servers.Postgres15})
}

// drain gives all messages one outcome and returns their UUIDs.
func drain(t *testing.T, queue outbox.Outbox, outcome outbox.Outcome) (uuids []string) {
	t.Helper()
	_, err := queue.Drain(t.Context(), 1000, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		for _, m := range batch {
			uuids = append(uuids, m.Message.UUID)
		}
		return slices.Repeat([]outbox.Result{{Outcome: outcome, Reason: errors.New("no")}}, len(batch))
	})
	require.NoError(t, err)
	return uuids
}

// TestPlacesBehindTheSequence: a message that returns to the queue takes no id that the sequence has yet to give. An Add
// would fail.
func TestPlacesBehindTheSequence(t *testing.T) {
	t.Parallel()
	f := outboxFixture(t, servers.Postgres(t))
	add := func(uuid string) {
		require.NoError(t, f.Transaction(t.Context(), func(p message.Publisher) error {
			return p.Publish("t", message.NewMessage(uuid, nil))
		}))
	}
	for _, uuid := range []string{"1", "2", "3"} {
		add(uuid)
	}
	_, err := f.Outbox.Drain(t.Context(), 10, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Park, Reason: errors.New("no")}}, len(batch))
	})
	require.NoError(t, err)
	f.Restart(t)
	parked, err := f.Outbox.Parked(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, parked, 3)
	returned, err := f.Outbox.Unpark(t.Context(), parked[2].ID, parked[1].ID)
	require.NoError(t, err)
	assert.Len(t, returned, 2)
	for _, uuid := range []string{"4", "5", "6"} {
		add(uuid)
	}
	backlog, err := f.Outbox.Backlog(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 5, backlog.Waiting)
}

// TestNULIsRefused, which PostgreSQL cannot store as text, and the transaction leaves nothing.
func TestNULIsRefused(t *testing.T) {
	t.Parallel()
	f := outboxFixture(t, servers.Postgres(t))
	for _, msg := range []struct{ topic, uuid string }{{"a\x00", "1"}, {"a", "1\x00"}} {
		err := f.Transaction(t.Context(), func(p message.Publisher) error {
			return p.Publish(msg.topic, message.NewMessage(msg.uuid, nil))
		})
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	}
	backlog, err := f.Outbox.Backlog(t.Context())
	require.NoError(t, err)
	assert.Zero(t, backlog.Waiting)
}
