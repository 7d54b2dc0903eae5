package faults_test

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/integration/internal/parts"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestRedisFails runs the microblog on another broker, which is killed, stopped and cut off.
func TestRedisFails(t *testing.T) {
	t.Parallel()
	redis, url := servers.OwnRedis(t)
	w := newWire(t, redis)
	opened, closeStores := parts.OpenSQLite(t, filepath.Join(t.TempDir(), "microblog.db"))
	t.Cleanup(func() { require.NoError(t, closeStores()) })
	closeBroker := parts.AddRedis(t, w.through(t, url), &opened)
	t.Cleanup(func() { require.NoError(t, closeBroker()) })
	s := newStage(t, runMicroblog(t, opened), opened.Posts)
	s.queues = 1 // how long messages wait at Redis nobody tells
	s.rate = 20  // both models are in one file, which takes little more beside all other tests

	s.run(t, append(
		w.faults(long(t) > 0),
		fault{name: "kill of Redis", begin: redis.Kill, lasts: 500 * time.Millisecond, end: redis.Start, harmless: true},
		fault{name: "stop of Redis", begin: redis.Stop, end: redis.Start, harmless: true},
	))
}

// runMicroblog runs the microblog in this process until the test ends, and returns its URL.
func runMicroblog(t *testing.T, opened app.Parts) string {
	t.Helper()
	microblog, err := app.New(opened, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- microblog.Run(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	return "http://" + listener.Addr().String()
}
