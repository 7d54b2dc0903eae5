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
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestARelayParksWhatNATSRefuses: what is too large for the server, what is too large for the stream, and what goes to
// a topic that is not the stream's. The others arrive in their order.
func TestARelayParksWhatNATSRefuses(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	name := "s-" + watermill.NewShortUUID()
	stream := ensure(t, nc, natspubsub.StreamConfig{Name: name, Topics: []string{"posts"}})
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	existing, err := js.Stream(t.Context(), name)
	require.NoError(t, err)
	config := existing.CachedInfo().Config
	config.MaxMsgSize = 10_000
	_, err = js.UpdateStream(t.Context(), config)
	require.NoError(t, err)

	db, err := sql.Open("sqlite", sqlitestore.DSN(filepath.Join(t.TempDir(), "outbox.db")))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	outbox, err := sqlitestore.NewOutbox(db, sqlitestore.OutboxConfig{})
	require.NoError(t, err)
	require.NoError(t, outbox.EnsureSchema(t.Context()))
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
		{"ghosts", "no such topic", 1},
		{"posts", "4", 1},
	} {
		msg := message.NewMessage(m.uuid, []byte(strings.Repeat("x", m.size)))
		require.NoError(t, outbox.Add(t.Context(), tx, m.topic, msg))
	}
	require.NoError(t, tx.Commit())

	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")
	relay, err := cqrsfeed.NewRelay(cqrsfeed.RelayConfig{
		Outbox: outbox, Publisher: newPublisher(t, stream), MaxAttempts: cqrsfeed.NeverPark, PollInterval: time.Hour,
	}, nil)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- relay.Run(ctx) }()
	for _, uuid := range []string{"1", "2", "3", "4"} {
		msg := next(t, messages)
		msg.Ack()
		assert.Equal(t, uuid, msg.UUID)
	}
	stop()
	require.NoError(t, <-done)

	parked, err := outbox.Parked(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, parked, 3)
	for i, reason := range []string{"maximum payload exceeded", "message size exceeds maximum allowed", "topic is not one of the stream's"} {
		assert.Contains(t, parked[i].Reason, reason)
		assert.Equal(t, 1, parked[i].Attempts)
	}
	backlog, err := outbox.Backlog(t.Context())
	require.NoError(t, err)
	assert.Zero(t, backlog.Waiting)
}
