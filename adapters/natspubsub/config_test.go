package natspubsub_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStreamConfigValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, natspubsub.StreamConfig{Name: "microblog"}.Validate())
	require.NoError(t, natspubsub.StreamConfig{
		Name: "microblog", SubjectPrefix: "app.microblog",
		Storage: jetstream.MemoryStorage, Replicas: 3,
		MaxMessages: 10, MaxBytes: 1 << 20, DuplicateWindow: time.Hour,
	}.Validate())

	err := natspubsub.StreamConfig{
		Name: "a.b", SubjectPrefix: "a..*", Storage: 7, Replicas: 6,
		MaxMessages: -1, MaxBytes: -2, DuplicateWindow: -1,
	}.Validate()
	for _, part := range []string{
		`Name is "a.b"`, `SubjectPrefix is "a..*"`, "Storage is",
		"Replicas is 6", "MaxMessages is -1", "MaxBytes is -2", "DuplicateWindow is",
	} {
		require.ErrorContains(t, err, part)
	}
	require.ErrorContains(t, natspubsub.StreamConfig{}.Validate(), "Name is missing")
	require.ErrorContains(t, natspubsub.StreamConfig{Name: "a", Domain: "hub", APIPrefix: "$JS.hub.API"}.Validate(),
		"Domain and APIPrefix are both set")
}

func TestNewStreamNeedsAConnection(t *testing.T) {
	t.Parallel()
	_, err := natspubsub.NewStream(nil, natspubsub.StreamConfig{}, nil)
	require.ErrorContains(t, err, "no connection")
	require.ErrorContains(t, err, "Name is missing")
}

func TestStreamSubject(t *testing.T) {
	t.Parallel()
	stream, err := natspubsub.NewStream(&nats.Conn{}, natspubsub.StreamConfig{Name: "microblog"}, nil)
	require.NoError(t, err)
	subject, err := stream.Subject("post.created")
	require.NoError(t, err)
	assert.Equal(t, "microblog.post.created", subject)
	_, err = stream.Subject("")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
}

func TestPartsValidate(t *testing.T) {
	t.Parallel()
	stream, err := natspubsub.NewStream(&nats.Conn{}, natspubsub.StreamConfig{Name: "microblog"}, nil)
	require.NoError(t, err)

	_, err = stream.NewPublisher(natspubsub.PublisherConfig{AckTimeout: -1})
	require.ErrorContains(t, err, "AckTimeout is")

	_, err = stream.NewDurableSubscriber(natspubsub.DurableConfig{
		Name: "a@b", MaxInFlight: -1, MaxAckPending: -2, AckWait: time.Millisecond, MaxNackDelay: -2,
	})
	for _, part := range []string{`Name is "a@b"`, "MaxInFlight is -1", "MaxAckPending is -2", "AckWait is 1ms", "MaxNackDelay is"} {
		require.ErrorContains(t, err, part)
	}
	_, err = stream.NewDurableSubscriber(natspubsub.DurableConfig{})
	require.ErrorContains(t, err, "Name is missing")
}

func TestNthDelay(t *testing.T) {
	t.Parallel()
	const first = 50 * time.Millisecond
	for n, want := range map[uint64]time.Duration{0: first, 1: first, 2: 2 * first, 4: 8 * first, 5: 10 * first, 1 << 60: 10 * first} {
		assert.Equal(t, want, natspubsub.NthDelay(n, 10*first), "delivery %d", n)
	}
	assert.Equal(t, time.Millisecond, natspubsub.NthDelay(1, time.Millisecond))
}
