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
	assert.Zero(t, made.MaxAge)
	assert.Equal(t, int64(-1), made.MaxBytes)
	assert.Equal(t, int64(100_000), made.MaxMsgsPerSubject)
	assert.Equal(t, jetstream.DiscardNew, made.Discard)
	assert.True(t, made.DiscardNewPerSubject)
	assert.Equal(t, 2*time.Minute, made.Duplicates)
	assert.Equal(t, jetstream.FileStorage, made.Storage)

	ensure(t, nc, natspubsub.StreamConfig{Name: name})
	assert.Equal(t, made, found(), "a second time changes nothing")

	operators := made
	operators.MaxMsgs, operators.MaxAge, operators.Description = 5000, time.Hour, "kept"
	operators.Subjects = []string{name + ".posts"}
	_, err = js.UpdateStream(t.Context(), operators)
	require.NoError(t, err)
	ensure(t, nc, natspubsub.StreamConfig{Name: name, MaxBytes: 1 << 20, DuplicateWindow: time.Minute})
	updated := found()
	assert.Equal(t, []string{name + ".>"}, updated.Subjects)
	assert.Equal(t, int64(1<<20), updated.MaxBytes)
	assert.Equal(t, time.Minute, updated.Duplicates)
	assert.Zero(t, updated.MaxAge, "it would discard what nobody has read")
	assert.Equal(t, "kept", updated.Description, "what is not configured is kept")
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

// TestEnsureOnASharedStream: programs of this package share a stream. One that relies on the discarding of old messages
// would fill it.
func TestEnsureOnASharedStream(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	for what, discards := range map[string]jetstream.StreamConfig{
		"the oldest":             {Discard: jetstream.DiscardOld, MaxBytes: 10 << 20},
		"what is old":            {Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: 1000, MaxAge: time.Hour},
		"the oldest per subject": {Discard: jetstream.DiscardNew, MaxMsgsPerSubject: 1000, MaxBytes: 10 << 20},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			discards.Name = "s-" + watermill.NewShortUUID()
			discards.Subjects = []string{discards.Name + "-metrics.>"}
			made, err := js.CreateStream(t.Context(), discards)
			require.NoError(t, err)
			stream, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: discards.Name}, nil)
			require.NoError(t, err)
			err = stream.Ensure(t.Context())
			require.ErrorIs(t, err, natspubsub.ErrStreamConflict)
			require.ErrorContains(t, err, "-metrics.>")
			info, err := made.Info(t.Context())
			require.NoError(t, err)
			require.Equal(t, made.CachedInfo().Config, info.Config, "nothing was changed")
		})
	}
	t.Run("nothing", func(t *testing.T) {
		t.Parallel()
		name := "s-" + watermill.NewShortUUID()
		first := ensure(t, nc, natspubsub.StreamConfig{Name: name, SubjectPrefix: name + "-1"})
		second := ensure(t, nc, natspubsub.StreamConfig{Name: name, SubjectPrefix: name + "-2"})
		require.NoError(t, first.Ensure(t.Context()))
		for _, stream := range []*natspubsub.Stream{first, second} {
			publish(t, newPublisher(t, stream), "posts", numbered(0, 1)...)
		}
		info, err := js.Stream(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, []string{name + "-1.>", name + "-2.>"}, info.CachedInfo().Config.Subjects)
		require.Equal(t, uint64(2), info.CachedInfo().State.Msgs)
	})
}

func TestEnsureConcurrently(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	name := "s-" + watermill.NewShortUUID()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			stream, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: name, DuplicateWindow: time.Duration(1+i%2) * time.Minute}, nil)
			if assert.NoError(t, err) {
				assert.NoError(t, stream.Ensure(t.Context()))
			}
		})
	}
	all.Wait()
}

// TestEnsureKeepsUnreadMessages takes over a stream that discards old messages, and holds more of a topic than it may from
// now on.
func TestEnsureKeepsUnreadMessages(t *testing.T) {
	t.Parallel()
	nc := connect(t, servers.NATS(t))
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	name := "s-" + watermill.NewShortUUID()
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: name, Subjects: []string{name + ".>"}, MaxAge: 7 * 24 * time.Hour, MaxBytes: 1 << 30, Discard: jetstream.DiscardOld,
	})
	require.NoError(t, err)
	for range 30 {
		_, err := js.Publish(t.Context(), name+".posts", nil)
		require.NoError(t, err)
	}
	settings := func() *jetstream.StreamInfo {
		found, err := js.Stream(t.Context(), name)
		require.NoError(t, err)

		return found.CachedInfo()
	}

	stream := ensure(t, nc, natspubsub.StreamConfig{Name: name, MaxMessages: 20})
	info := settings()
	assert.Equal(t, uint64(30), info.State.Msgs)
	assert.Equal(t, jetstream.DiscardNew, info.Config.Discard)
	assert.True(t, info.Config.DiscardNewPerSubject)
	assert.Equal(t, int64(30), info.Config.MaxMsgsPerSubject)
	assert.Zero(t, info.Config.MaxAge)
	require.ErrorIs(t, newPublisher(t, stream).Publish("posts", numbered(30, 1)...), natspubsub.ErrStreamFull)

	messages := subscribe(t, newDurable(t, stream, natspubsub.DurableConfig{}), "posts")
	for range 30 {
		payload(t, messages)
	}
	require.Eventually(t, func() bool { return newPublisher(t, stream).Publish("posts", numbered(30, 1)...) == nil }, patience, time.Millisecond)
	require.NoError(t, stream.Ensure(t.Context()))
	assert.Equal(t, int64(20), settings().Config.MaxMsgsPerSubject, "there is room for the configured limit now")
}
