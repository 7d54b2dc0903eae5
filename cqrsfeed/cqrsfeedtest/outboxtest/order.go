package outboxtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// keepOrder makes both outboxes keep the order of topics.
func (f Fixture) keepOrder(t *testing.T, topics ...string) {
	t.Helper()
	for _, queue := range []outbox.Outbox{f.Outbox, f.Other} {
		orderer, ok := queue.(outbox.Orderer)
		require.True(t, ok, "the outbox does not implement outbox.Orderer")
		orderer.KeepOrder(topics...)
	}
}

// testHolds parks messages of a topic whose order is kept. Those behind them wait, and those of others do not.
func testHolds(t *testing.T, f Fixture) {
	f.keepOrder(t, "ordered")
	f.add(t, "x", "0")
	outboxes.Drain(t, f.Other, 1) // the first of a topic that it does not know might be found a second later
	f.add(t, "ordered", "1", "2", "3", "4")
	f.add(t, "x", "5")
	f.add(t, "ordered", "6")
	taken := outboxes.DrainTo(t, f.Outbox, 3, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		assert.Equal(t, []string{"1", "2", "3"}, outboxes.UUIDs(batch))
		for _, m := range batch {
			assert.True(t, m.InOrder)
		}
		return []outbox.Result{outboxes.Published(), outboxes.Refused("too large", 1), outboxes.Kept()}
	})
	assert.Equal(t, 3, taken)

	require.True(t, outboxes.Parked(t, f.Other)[0].Holds)
	f.add(t, "ordered", "7")
	others := outboxes.Drain(t, f.Other, 2)
	require.Equal(t, []string{"5"}, outboxes.UUIDs(others), "although more messages are held than a Drain takes")
	assert.False(t, others[0].InOrder)
	for _, queue := range []outbox.Outbox{f.Outbox, f.Other} {
		assert.Empty(t, outboxes.Drain(t, queue, 10))
	}
	waiting, err := f.Other.Backlog(t.Context())
	require.NoError(t, err)
	require.Len(t, waiting.Topics, 1)
	assert.EqualValues(t, 4, waiting.Topics[0].Waiting)

	_, err = f.Other.Unpark(t.Context(), idsOf(outboxes.Parked(t, f.Other))...)
	require.NoError(t, err)
	taken = outboxes.DrainTo(t, f.Other, 10, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		assert.Equal(t, []string{"2", "3", "4", "6", "7"}, outboxes.UUIDs(batch))
		return []outbox.Result{outboxes.Published(), outboxes.Refused("still too large", 1), outboxes.Kept(), outboxes.Kept(), outboxes.Kept()}
	})
	assert.Equal(t, 5, taken)
	assert.Empty(t, outboxes.Drain(t, f.Outbox, 10))
	_, err = f.Outbox.Discard(t.Context(), idsOf(outboxes.Parked(t, f.Outbox))...)
	require.NoError(t, err)
	assert.Equal(t, []string{"4", "6", "7"}, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 10)))
}

// testBehind begins a Drain while another one has the first message of a topic whose order is kept.
func testBehind(t *testing.T, f Fixture) {
	f.keepOrder(t, "ordered", "other")
	f.add(t, "ordered", "1", "2")
	f.add(t, "x", "3")
	f.add(t, "ordered", "4")
	f.add(t, "other", "5")
	want := []string{"3", "5"}
	if !f.LocksMessages {
		want = []string{"1", "2", "3", "4", "5"} // again, and not without what is before them
	}
	for _, except := range [][]string{nil, {"blocked"}} {
		outboxes.DrainTo(t, f.Outbox, 1, except, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
			assert.Equal(t, []string{"1"}, outboxes.UUIDs(batch))
			taken, err := f.Other.Drain(ctx, 10, except, func(_ context.Context, batch []outbox.Message) []outbox.Result {
				assert.Equal(t, want, outboxes.UUIDs(batch))
				return make([]outbox.Result, len(batch))
			})
			require.NoError(t, err)
			assert.Equal(t, len(want), taken)
			return []outbox.Result{outboxes.Kept()}
		})
	}
	assert.Equal(t, []string{"1", "2", "3", "4", "5"}, outboxes.UUIDs(outboxes.Drain(t, f.Other, 10)))
}

// testBehindIsFree ends a Drain while another one is publishing that found the first message of a topic taken. What it left is
// free.
func testBehindIsFree(t *testing.T, f Fixture) {
	if !f.LocksMessages {
		return
	}
	f.keepOrder(t, "ordered")
	f.add(t, "ordered", "1", "2")
	f.add(t, "x", "3")
	f.add(t, "ordered", "4")
	started, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := f.Outbox.Drain(t.Context(), 1, nil, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
			close(started)
			<-goOn
			return acknowledge(ctx, batch)
		})
		ended <- err
	}()
	<-started
	outboxes.DrainTo(t, f.Other, 10, nil, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
		assert.Equal(t, []string{"3"}, outboxes.UUIDs(batch))
		close(goOn)
		require.NoError(t, <-ended)
		rest, err := outboxes.TryDrain(ctx, f.Outbox, 10, outboxes.Published())
		require.NoError(t, err)
		assert.Equal(t, []string{"2", "4"}, outboxes.UUIDs(rest))
		return acknowledge(ctx, batch)
	})
	assert.Empty(t, outboxes.DrainAll(t, f.Outbox))
}

// steps is what was published of items, and how many of their versions were not.
type steps struct {
	mu        sync.Mutex
	published map[string]int // the last version, by item
	left      int
}

// publish is a broker that takes messages, fails, refuses and crashes at random.
func (s *steps) publish(t *testing.T, batch []outbox.Message) []outbox.Result {
	t.Helper()
	results := make([]outbox.Result, len(batch))
	stopped := map[string]bool{} // topics
	crash := rand.IntN(15) == 0
	for i, m := range batch {
		if stopped[m.Topic] {
			continue
		}
		if !assert.True(t, m.InOrder) {
			return results
		}
		switch rand.IntN(12) {
		case 0:
			stopped[m.Topic] = true
		case 1:
			stopped[m.Topic], results[i] = true, outboxes.Refused("not now", 1)
		default:
			results[i] = outboxes.Published()
			s.saw(t, m)
		}
		if i > len(batch)/2 && crash {
			panic("a crash before the deletion")
		}
	}
	return results
}

// saw counts a message unless it is a repeat.
func (s *steps) saw(t *testing.T, m outbox.Message) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	version, err := strconv.Atoi(string(m.Message.Payload))
	if err != nil {
		t.Error(err)
	}
	item := m.Message.Metadata.Get(cqrsfeed.PartitionKey)
	assert.LessOrEqual(t, version, s.published[item]+1, "%s: a version is left out", item)
	if version > s.published[item] {
		s.published[item] = version
		s.left--
	}
}

func (s *steps) done() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left <= 0
}

// testKeepsOrder publishes the versions of items by relays of two processes, of which some crash, while an operator returns
// what they park. No version may come before the one that it follows.
func testKeepsOrder(t *testing.T, f Fixture) {
	const items, versions, topics = 12, 15, 3
	ctx, cancel := context.WithTimeout(t.Context(), 6*outboxes.Patience)
	defer cancel()
	f.keepOrder(t, "0", "1", "2")
	s := &steps{published: map[string]int{}, left: items * versions}
	var running sync.WaitGroup
	for i := range items {
		running.Go(func() {
			for version := range versions {
				msg := newMessages(ctx, fmt.Sprintf("%d/%d", i, version))[0]
				msg.Payload = fmt.Append(nil, version+1)
				msg.Metadata.Set(cqrsfeed.PartitionKey, fmt.Sprint("item-", i))
				assert.NoError(t, f.Transaction(ctx, func(publisher message.Publisher) error {
					return publisher.Publish(strconv.Itoa(i%topics), msg)
				}))
			}
		})
	}
	drainOnce := func(queue outbox.Outbox) (err error) {
		defer func() { _ = recover() }()
		var except []string
		if rand.IntN(2) == 0 {
			except = []string{"blocked"}
		}
		_, err = queue.Drain(ctx, 7, except, func(_ context.Context, batch []outbox.Message) []outbox.Result {
			return s.publish(t, batch)
		})
		return err
	}
	for _, queue := range []outbox.Outbox{f.Outbox, f.Other, f.Other} {
		running.Go(func() {
			for !s.done() && assert.NoError(t, ctx.Err()) {
				assert.NoError(t, drainOnce(queue))
			}
		})
	}
	running.Go(func() {
		for !s.done() && ctx.Err() == nil {
			some, err := f.Other.Parked(ctx, "", 3)
			if err == nil {
				_, err = f.Other.Unpark(ctx, idsOf(some)...)
			}
			assert.NoError(t, err)
		}
	})
	running.Wait()
	for item, version := range s.published {
		assert.Equal(t, versions, version, item)
	}
}

// testLateOrder commits a version of an item, and then the next one, after newer messages of its topic were published.
func testLateOrder(t *testing.T, f Fixture) {
	if !f.LocksMessages {
		return // transactions do not overlap
	}
	f.keepOrder(t, "x")
	require.NoError(t, f.Transaction(t.Context(), func(publisher message.Publisher) error {
		err := publisher.Publish("x", newMessages(t.Context(), "1")...)
		f.passOver(t.Context(), t)
		return err
	}))
	f.add(t, "x", "2")
	assert.Equal(t, []string{"1", "2"}, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 10)))
}
