package natspubsub_test

import (
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

func TestEnsureCreatesAndUpdates(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	name := "s-" + watermill.NewShortUUID()
	found := func() jetstream.StreamConfig {
		stream, err := js.Stream(t.Context(), name)
		require.NoError(t, err)

		return stream.CachedInfo().Config
	}

	ensure(t, nc, natspubsub.StreamConfig{Name: name})
	made := found()
	assert.Equal(t, []string{name + ".>"}, made.Subjects)
	assert.Equal(t, 7*24*time.Hour, made.MaxAge)
	assert.Equal(t, int64(1<<30), made.MaxBytes)
	assert.Equal(t, 2*time.Minute, made.Duplicates)
	assert.Equal(t, jetstream.FileStorage, made.Storage)

	ensure(t, nc, natspubsub.StreamConfig{Name: name})
	assert.Equal(t, made, found(), "a second time changes nothing")

	operators := made
	operators.MaxMsgs, operators.MaxAge, operators.Description = 5000, time.Hour, "kept"
	operators.Subjects = []string{name + ".posts", name + "-other.>"}
	_, err = js.UpdateStream(t.Context(), operators)
	require.NoError(t, err)
	ensure(t, nc, natspubsub.StreamConfig{Name: name, MaxBytes: natspubsub.Off, DuplicateWindow: time.Minute})
	updated := found()
	assert.Equal(t, []string{name + "-other.>", name + ".>"}, updated.Subjects)
	assert.Equal(t, int64(-1), updated.MaxBytes)
	assert.Equal(t, time.Minute, updated.Duplicates)
	assert.Equal(t, time.Hour, updated.MaxAge, "what is not configured is kept")
	assert.Equal(t, "kept", updated.Description)
	assert.Equal(t, int64(5000), updated.MaxMsgs)
}

func TestEnsureConflicts(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	name := "s-" + watermill.NewShortUUID()
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: name, Subjects: []string{name + ".>"}, Storage: jetstream.MemoryStorage, Retention: jetstream.WorkQueuePolicy,
	})
	require.NoError(t, err)

	stream, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: name}, nil)
	require.NoError(t, err)
	err = stream.Ensure(t.Context())
	require.ErrorIs(t, err, natspubsub.ErrStreamConflict)
	require.ErrorContains(t, err, "stored in Memory")
	require.ErrorContains(t, err, "retention is WorkQueue")

	overlapping, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: "s-" + watermill.NewShortUUID(), SubjectPrefix: name}, nil)
	require.NoError(t, err)
	require.ErrorIs(t, overlapping.Ensure(t.Context()), natspubsub.ErrStreamConflict)
}

func TestEnsureConcurrently(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	name := "s-" + watermill.NewShortUUID()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			stream, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: name, MaxAge: time.Duration(1+i%2) * time.Hour}, nil)
			if assert.NoError(t, err) {
				assert.NoError(t, stream.Ensure(t.Context()))
			}
		})
	}
	all.Wait()
}
