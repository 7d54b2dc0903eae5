package speed_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// stages are the moments on the way of one post.
type stages struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (s *stages) now(stage string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at[stage] = time.Now()
}

// take returns the moments and forgets them.
func (s *stages) take() map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.at
	s.at = make(map[string]time.Time)
	return at
}

// watchedPublisher is the relay's publisher.
type watchedPublisher struct {
	message.Publisher

	stages *stages
}

// Publish implements message.Publisher.
func (p watchedPublisher) Publish(topic string, messages ...*message.Message) error {
	p.stages.now("publish")
	defer p.stages.now("published")
	return p.Publisher.Publish(topic, messages...)
}

// watchedStore is the projector's store.
type watchedStore struct {
	cqrsfeed.FeedStore[post.Post]

	stages *stages
}

// Apply implements cqrsfeed.FeedStore.
func (s watchedStore) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[post.Post]) ([]cqrsfeed.FeedUpdated, error) {
	s.stages.now("apply")
	defer s.stages.now("applied")
	return s.FeedStore.Apply(ctx, batch)
}

// BenchmarkIdleLatency measures each stage between a call of Create and the pages that show the post, one post after the other
// in an idle system: create is the transaction; relay lasts from its commit to the call of Publish; publish until JetStream
// acknowledges; deliver until Apply is called; apply until it returns; announce until a subscriber has FeedUpdated of
// both feeds; load is one page of each feed, both at once as a router loads them. All figures are medians, also that of the
// whole way. The commands of MongoDB follow, of apply and load: some of them run at once.
//
// bare is the median of the same commands without Feedmill, one post of each in turn: the servers' share, below which no
// design with these steps gets. way/bare is the ratio of the two.
func BenchmarkIdleLatency(b *testing.B) {
	p := openPlace(b)
	store, _ := p.feeds(b)
	watch := &stages{at: make(map[string]time.Time)}
	stopRelay := p.relayTo(b, watchedPublisher{p.publisher, watch})
	_, stopProjecting := p.project(b, watchedStore{store, watch})
	live := p.stream.NewLiveSubscriber()
	updates, err := live.Subscribe(b.Context(), feedUpdated)
	require.NoError(b, err)
	create := p.create(b)
	bare := openBareWay(b, p)
	n := 0
	// The feeds take turns, so that a late announcement of the post before is not taken for this one's.
	next := func() (id string, body post.Post) {
		n++
		const turns = 100
		return fmt.Sprintf("post-%07d", n), tagged(n, fmt.Sprintf("go%d", n%turns), fmt.Sprintf("mongo%d", n%turns))
	}
	once := func() map[string]time.Time {
		id, body := next()
		feeds := body.Tags
		watch.take()
		watch.now("begin")
		require.NoError(b, create(id, body))
		watch.now("committed")
		for missing := map[string]bool{feeds[0]: true, feeds[1]: true}; len(missing) > 0; {
			msg := <-updates
			var updated cqrsfeed.FeedUpdated
			require.NoError(b, json.Unmarshal(msg.Payload, &updated))
			msg.Ack()
			delete(missing, updated.Feed)
		}
		watch.now("announced")
		var loads sync.WaitGroup
		for _, feed := range feeds {
			loads.Go(func() {
				_, err := store.Page(b.Context(), feed, "", 0)
				assert.NoError(b, err)
			})
		}
		loads.Wait()
		watch.now("loaded")
		return watch.take()
	}
	for range 200 { // so that there are feeds, and all is warm
		once()
		id, body := next()
		bare.once(b, id, body)
	}

	steps := []struct{ name, from, to string }{
		{"create", "begin", "committed"},
		{"relay", "committed", "publish"},
		{"publish", "publish", "published"},
		{"deliver", "published", "apply"},
		{"apply", "apply", "applied"},
		{"announce", "applied", "announced"},
		{"load", "announced", "loaded"},
		{"way", "begin", "loaded"},
	}
	took := make(map[string][]time.Duration)
	var bareTook []time.Duration
	p.commands.forget()
	for b.Loop() {
		id, body := next()
		bareTook = append(bareTook, bare.once(b, id, body))
		at := once()
		for _, step := range steps {
			took[step.name] = append(took[step.name], at[step.to].Sub(at[step.from]))
		}
	}
	stopRelay()
	stopProjecting()
	require.NoError(b, live.Close())
	for _, step := range steps {
		b.ReportMetric(milliseconds(median(took[step.name])), step.name+"-ms")
	}
	b.ReportMetric(milliseconds(median(bareTook)), "bare-ms")
	b.ReportMetric(float64(median(took["way"]))/float64(median(bareTook)), "way/bare")
	for command, median := range p.commands.frequent(len(took["way"])) {
		b.ReportMetric(milliseconds(median), command+"-ms")
	}
}
