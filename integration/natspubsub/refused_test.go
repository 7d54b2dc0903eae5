package natspubsub_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestRelayParksRefusedMessages parks messages that are too large for the server, too large for the stream, or have a UUID
// that no header can carry. The others arrive in their order.
func TestRelayParksRefusedMessages(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	name := "s-" + watermill.NewShortUUID()
	stream := ensure(t, nc, natspubsub.StreamConfig{Name: name})
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	existing, err := js.Stream(t.Context(), name)
	require.NoError(t, err)
	config := existing.CachedInfo().Config
	config.MaxMsgSize = 10_000
	_, err = js.UpdateStream(t.Context(), config)
	require.NoError(t, err)

	db, queue := newOutbox(t)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	for _, m := range []struct {
		topic, uuid string
		size        int
	}{
		{"posts", "1", 1},
		{"posts", "too large for the server", int(nc.MaxPayload()) + 1},
		{"posts", "2", 1},
		{"posts", "too large for the stream", 20_000},
		{"posts", "3", 1},
		{"posts", "no\nheader", 1},
		{"posts", "4", 1},
	} {
		msg := message.NewMessage(m.uuid, []byte(strings.Repeat("x", m.size)))
		require.NoError(t, queue.Add(t.Context(), tx, m.topic, msg))
	}
	require.NoError(t, tx.Commit())

	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")
	stop := run(t, queue, newPublisher(t, stream), outbox.Off)
	for _, uuid := range []string{"1", "2", "3", "4"} {
		msg := next(t, messages)
		msg.Ack()
		assert.Equal(t, uuid, msg.UUID)
	}
	stop()

	parked, err := queue.Parked(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, parked, 3)
	for i, reason := range []string{"maximum payload exceeded", "message size exceeds maximum allowed", "a header cannot carry its UUID"} {
		assert.Contains(t, parked[i].Reason, reason)
		assert.Equal(t, 1, parked[i].Attempts)
	}
	backlog, err := queue.Backlog(t.Context())
	require.NoError(t, err)
	assert.Zero(t, backlog.Waiting)
}

func newOutbox(t *testing.T) (*sql.DB, *sqlitestore.Outbox) {
	t.Helper()
	db, err := sql.Open("sqlite", sqlitestore.DSN(filepath.Join(t.TempDir(), "outbox.db")))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store, err := sqlitestore.New(db, sqlitestore.Config{MaxEventBytes: 2 << 20}) // more than the broker takes
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))

	return db, store.Outbox()
}

// run runs a relay until stop is called.
func run(t *testing.T, queue outbox.Outbox, publisher message.Publisher, maxAttempts int) (stop func()) {
	t.Helper()
	relay, err := outbox.NewRelay(outbox.RelayConfig{
		Outbox: queue, Publisher: publisher, MaxAttempts: maxAttempts, PollInterval: 50 * time.Millisecond,
	}, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- relay.Run(ctx) }()

	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}
