package faults_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestFullStream takes the store of the feeds away until the stream, which is small, takes no more. The events wait in the
// outbox, and in the end none is missing.
func TestFullStream(t *testing.T) {
	t.Parallel()
	const most = 50
	dsn := servers.MySQL(t)
	mongo, uri := servers.OwnMongo(t)
	_, url := servers.OwnNATS(t)
	nc, err := nats.Connect(url)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	stream, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: "microblog", MaxMessages: most}, nil)
	require.NoError(t, err)
	require.NoError(t, stream.Ensure(t.Context()))
	m := startMicroblog(t, "-mysql-dsn", dsn, "-mongo-uri", uri, "-nats-url", url)
	m.awaitReady(t)
	s := newStage(t, m.url, openPosts(t, dsn))

	full := func(t *testing.T) {
		t.Helper()
		js, err := jetstream.New(nc)
		require.NoError(t, err)
		db, err := sql.Open("mysql", dsn)
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()
		store, err := mysqlstore.New(db, mysqlstore.Config{})
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			found, err := js.Stream(t.Context(), "microblog")
			require.NoError(t, err)
			info, err := found.Info(t.Context(), jetstream.WithSubjectFilter(">"))
			require.NoError(t, err)
			backlog, err := store.Outbox().Backlog(t.Context())
			require.NoError(t, err)
			assert.Zero(t, backlog.Parked)

			return backlog.Waiting > most && info.State.Subjects["microblog.post-created"] == most
		}, patience, 10*time.Millisecond, "the stream is not full")
	}
	away := fault{name: "MongoDB away", begin: mongo.Kill, harmless: true, end: func(t *testing.T) {
		t.Helper()
		full(t)
		mongo.Start(t)
	}}
	s.run(t, []fault{away})
}
