package operate_test

import (
	"context"
	"iter"
	"net/http"
	"runtime"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/internal/panics/panicstest"
)

func TestMessagesAreNamed(t *testing.T) {
	t.Parallel()
	s := openParked(t, 1)
	for _, action := range []string{"unpark", "discard"} {
		require.Contains(t, s.refused(http.StatusBadRequest, "action", action, "confirm", "yes"), "name the messages")
		require.Contains(t, s.refused(http.StatusNotFound, "action", action, "id", "9999", "confirm", "yes"), "9999: not parked")
	}
	require.Contains(t, s.refused(http.StatusNotFound, "action", "replay", "id", "1"), "no poison topic")
	topic := newPoisonTopic(2)
	s = openSite(t, operate.HandlerConfig{Poison: topic, PoisonPublisher: topic})
	for _, action := range []string{"replay", "remove"} {
		require.Contains(t, s.refused(http.StatusBadRequest, "action", action, "confirm", "yes"), "name the messages")
		require.Contains(t, s.refused(http.StatusNotFound, "action", action, "id", "9999", "confirm", "yes"), "9999: not in the poison topic")
	}
	require.Len(t, topic.messages, 2)
}

func TestListsAreNeverNull(t *testing.T) {
	t.Parallel()
	_, target := openTarget(t)
	proj, err := projector.New(projector.Config{Name: "note-feeds", Projection: failing{}}, watermill.NopLogger{})
	require.NoError(t, err)
	topic := newPoisonTopic(0)
	s := openSite(t, operate.HandlerConfig{
		Outbox: target.Outbox, Poison: topic, PoisonPublisher: topic, Projections: []*projector.Projector{proj},
		Streams: func() iter.Seq[operate.Stream] { return func(func(operate.Stream) bool) {} },
	})
	_, body := s.do(http.MethodGet, "", nil, nil)
	require.NotContains(t, body, "null")
	require.Contains(t, body, `"topics": []`)
}

// badQueue is an outbox that panics, or returns an error that does.
type badQueue struct {
	outbox.Operations
	err error
}

func (q badQueue) Backlog(context.Context) (outbox.Backlog, error) {
	if q.err == nil {
		panic("a bug")
	}
	return outbox.Backlog{}, q.err
}

// TestAPanicIsShownInItsSection, and the page has the others.
func TestAPanicIsShownInItsSection(t *testing.T) {
	t.Parallel()
	for text, err := range map[string]error{"a bug": nil, "nil pointer": panicstest.NilError()} {
		s := openSite(t, operate.HandlerConfig{Outbox: badQueue{err: err}})
		require.Contains(t, s.state("").Outbox.Error, text)
	}
}

// TestAJobThatDoesNotReturn, by a panic or a runtime.Goexit of the application's code, has failed.
func TestAJobThatDoesNotReturn(t *testing.T) {
	t.Parallel()
	for text, end := range map[string]func(){"a bug": func() { panic("a bug") }, "runtime.Goexit": runtime.Goexit} {
		_, target := openTarget(t)
		target.Source = badSource{target.Source, end}
		s := openSite(t, operate.HandlerConfig{ReadModels: []*operate.ReadModel{operate.NewReadModel("note-feeds", target)}})
		s.act("action", "rebuild", "name", "note-feeds")
		require.Contains(t, s.await().Failure, text)
	}
}

// badSource is a write model that does not return.
type badSource struct {
	readmodel.Source[note]

	end func()
}

func (b badSource) Scan(context.Context, string, int) ([]cqrsfeed.Item[note], error) {
	b.end()
	return nil, nil
}
