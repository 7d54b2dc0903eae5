package demo

import (
	"context"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// queue is an outbox with two messages.
type queue struct {
	outbox.Outbox

	results []outbox.Result
}

func (q *queue) Drain(ctx context.Context, _ int, _ []string, publish outbox.PublishFunc) (int, error) {
	batch := []outbox.Message{
		{Topic: "t", Message: message.NewMessage("1", []byte("one"))},
		{Topic: "t", Message: message.NewMessage("2", []byte("two"))},
	}
	q.results = publish(ctx, batch)
	return len(batch), nil
}

// TestTwice publishes each event at least twice, the second time as another message, and later again; one of which a copy was
// not published stays.
func TestTwice(t *testing.T) {
	t.Parallel()
	f := &faults{}
	inner := &queue{}
	o := &faultyOutbox{Outbox: inner, faults: f}
	var published []string
	var uuids map[string]bool
	refuse := ""
	drain := func() map[string]int {
		published, uuids = nil, map[string]bool{}
		_, err := o.Drain(t.Context(), 10, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
			results := make([]outbox.Result, len(batch))
			for i, m := range batch {
				published = append(published, string(m.Message.Payload))
				uuids[m.Message.UUID] = true
				if m.Message.UUID != refuse || refuse == "" {
					results[i].Outcome = outbox.Published
				}
			}
			return results
		})
		require.NoError(t, err)
		counts := map[string]int{}
		for _, payload := range published {
			counts[payload]++
		}
		return counts
	}
	require.Equal(t, map[string]int{"one": 1, "two": 1}, drain())
	end := f.begin(FaultTwice)
	require.Equal(t, map[string]int{"one": 2, "two": 2}, drain(), "nothing is remembered yet")
	require.Len(t, inner.results, 2)
	drain()
	require.Len(t, published, 6, "two come again")
	require.Len(t, uuids, 6, "a broker cannot know them to be repeated")
	require.Equal(t, int64(6), f.struck.Load())
	orders := map[string]bool{}
	for range 50 {
		drain()
		orders[published[0]+published[1]] = true
	}
	require.Greater(t, len(orders), 1, "their order changes")

	refuse = "1"
	drain()
	require.Equal(t, []outbox.Result{{Outcome: outbox.Keep}, {Outcome: outbox.Published}}, inner.results)
	end()
	require.Len(t, drain(), 2)
	require.Len(t, published, 2)
}

// store counts what was applied.
type store struct {
	readmodel.Store[post.Post]

	applied int
}

func (s *store) Apply(_ context.Context, batch []cqrsfeed.FeedChange[post.Post]) ([]cqrsfeed.FeedUpdated, error) {
	s.applied += len(batch)
	return nil, nil
}

func (*store) Union(context.Context, []string, string, int) (cqrsfeed.FeedPage[post.Post], error) {
	return cqrsfeed.FeedPage[post.Post]{}, nil
}

// TestProjectorStopsInTheMiddle: half of a batch is applied, and the call fails, so that the batch comes again.
func TestProjectorStopsInTheMiddle(t *testing.T) {
	t.Parallel()
	f, inner := &faults{}, &store{}
	feeds := faultyFeeds{Store: inner, faults: f}
	end := f.begin(FaultProjector)
	_, err := feeds.Apply(t.Context(), make([]cqrsfeed.FeedChange[post.Post], 10))
	require.ErrorIs(t, err, errProjector)
	require.Equal(t, 5, inner.applied)
	end()
	_, err = feeds.Apply(t.Context(), make([]cqrsfeed.FeedChange[post.Post], 10))
	require.NoError(t, err)
	require.Equal(t, 15, inner.applied)
}

// TestReadModelFails: no method of it works, and all do afterwards.
func TestReadModelFails(t *testing.T) {
	t.Parallel()
	f := &faults{}
	feeds := faultyFeeds{Store: &store{}, faults: f}
	end := f.begin(FaultFeeds)
	_, err := feeds.Apply(t.Context(), nil)
	require.ErrorIs(t, err, errFeeds)
	_, err = feeds.Page(t.Context(), "go", "", 1)
	require.ErrorIs(t, err, errFeeds)
	_, err = feeds.Union(t.Context(), []string{"go"}, "", 1)
	require.ErrorIs(t, err, errFeeds)
	_, err = feeds.Feeds(t.Context(), "", 1)
	require.ErrorIs(t, err, errFeeds)
	_, err = feeds.Recount(t.Context())
	require.ErrorIs(t, err, errFeeds)
	_, err = feeds.ItemVersion(t.Context(), "1")
	require.ErrorIs(t, err, errFeeds)
	require.Equal(t, int64(6), f.struck.Load())
	end()
	_, err = feeds.Apply(t.Context(), nil)
	require.NoError(t, err)
	_, err = feeds.Union(t.Context(), []string{"go"}, "", 1)
	require.NoError(t, err)
}

// broker counts what was published.
type broker struct {
	message.Publisher

	published int
}

func (b *broker) Publish(_ string, messages ...*message.Message) error {
	b.published += len(messages)
	return nil
}

// TestBrokerRefuses, or the outbox in its place where there is none.
func TestBrokerRefuses(t *testing.T) {
	t.Parallel()
	f, inner := &faults{}, &broker{}
	publisher := faultyPublisher{Publisher: inner, faults: f}
	with, without := &faultyOutbox{Outbox: &queue{}, faults: f}, &faultyOutbox{Outbox: &queue{}, faults: f, refuses: true}
	drain := func(o *faultyOutbox) error {
		_, err := o.Drain(t.Context(), 1, nil, func(context.Context, []outbox.Message) []outbox.Result { return nil })
		return err
	}
	end := f.begin(FaultBroker)
	require.ErrorIs(t, publisher.Publish("t", message.NewMessage("1", nil)), errBroker)
	require.ErrorIs(t, drain(without), errBroker)
	require.NoError(t, drain(with))
	require.Zero(t, inner.published)
	end()
	require.NoError(t, publisher.Publish("t", message.NewMessage("1", nil)))
	require.NoError(t, drain(without))
	require.Equal(t, 1, inner.published)
}
