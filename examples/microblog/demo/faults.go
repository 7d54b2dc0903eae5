package demo

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// The faults by name.
const (
	FaultBroker    = "broker"    // it refuses every event
	FaultTwice     = "twice"     // every event comes at least twice, shuffled, and old ones come again
	FaultFeeds     = "feeds"     // the read model fails, for projectors and pages
	FaultProjector = "projector" // it stops in the middle of each batch
	FaultStreams   = "streams"   // all streams are cut, again and again
	FaultSlow      = "slow"      // a window reads slowly
)

// Faults returns the names of all faults.
func Faults() []string {
	return []string{FaultBroker, FaultTwice, FaultFeeds, FaultProjector, FaultStreams, FaultSlow}
}

func known(fault string) bool { return slices.Contains(Faults(), fault) }

// faults knows which fault is on, and counts how often it struck.
type faults struct {
	on     atomic.Value // its name, or ""
	struck atomic.Int64
}

// begin has a fault be on until end is called.
func (f *faults) begin(fault string) (end func()) {
	f.struck.Store(0)
	f.on.Store(fault)
	return func() { f.on.Store("") }
}

func (f *faults) is(fault string) bool {
	on, _ := f.on.Load().(string)
	return on == fault
}

// strikes reports whether the fault is on, and counts it.
func (f *faults) strikes(fault string) bool {
	if !f.is(fault) {
		return false
	}
	f.struck.Add(1)
	return true
}

var (
	errBroker    = errors.New("demonstration: the broker refuses")
	errFeeds     = errors.New("demonstration: the read model fails")
	errProjector = errors.New("demonstration: the projector stops in the middle of a batch")
)

// faultyPublisher is a broker that can refuse.
type faultyPublisher struct {
	message.Publisher

	faults *faults
}

// Publish publishes, or refuses.
func (p faultyPublisher) Publish(topic string, messages ...*message.Message) error {
	if p.faults.strikes(FaultBroker) {
		return errBroker
	}
	return p.Publisher.Publish(topic, messages...)
}

// maxRecent is how many events are kept to come again.
const maxRecent = 100

// faultyOutbox publishes events more often than they are there. Without a broker it also stands for one that refuses.
type faultyOutbox struct {
	outbox.Outbox

	faults  *faults
	refuses bool

	mu     sync.Mutex
	recent []outbox.Message
}

// Drain implements outbox.Outbox.
func (o *faultyOutbox) Drain(ctx context.Context, limit int, except []string, publish outbox.PublishFunc) (int, error) {
	if o.refuses && o.faults.strikes(FaultBroker) {
		return 0, errBroker
	}
	if o.faults.is(FaultTwice) {
		return o.Outbox.Drain(ctx, limit, except, o.twice(publish))
	}
	return o.Outbox.Drain(ctx, limit, except, publish)
}

// twice publishes each message twice and some earlier ones again, in a random order. A message counts as published if both
// were.
func (o *faultyOutbox) twice(publish outbox.PublishFunc) outbox.PublishFunc {
	return func(ctx context.Context, batch []outbox.Message) []outbox.Result {
		all := slices.Concat(batch, copies(ctx, batch), copies(ctx, o.again(batch)))
		o.faults.struck.Add(int64(len(all) - len(batch)))
		places := rand.Perm(len(all)) // #nosec G404 -- not for secrets
		shuffled := make([]outbox.Message, len(all))
		for i, place := range places {
			shuffled[place] = all[i]
		}
		results := publish(ctx, shuffled)
		settled := make([]outbox.Result, len(batch))
		for i := range batch {
			settled[i] = results[places[i]]
			if second := results[places[len(batch)+i]]; second.Outcome != outbox.Published {
				settled[i] = second
			}
		}
		return settled
	}
}

// again returns as many of the last events as the batch has, at random, and remembers the batch.
func (o *faultyOutbox) again(batch []outbox.Message) []outbox.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	again := make([]outbox.Message, 0, len(batch))
	for range min(len(batch), len(o.recent)) {
		again = append(again, o.recent[rand.IntN(len(o.recent))]) // #nosec G404 -- not for secrets
	}
	o.recent = append(o.recent, batch...)
	o.recent = slices.Clone(o.recent[max(0, len(o.recent)-maxRecent):])
	return again
}

// copies returns the messages as others, which a broker cannot know to be repeated.
func copies(ctx context.Context, batch []outbox.Message) []outbox.Message {
	made := make([]outbox.Message, len(batch))
	for i, m := range batch {
		made[i] = m
		made[i].Message = m.Message.Copy()
		made[i].Message.UUID = watermill.NewUUID()
		made[i].Message.SetContext(ctx)
	}
	return made
}

// faultyFeeds is a read model that can fail, and that can be left in the middle of a batch.
type faultyFeeds struct {
	readmodel.Store[post.Post]

	faults *faults
}

// Apply implements cqrsfeed.FeedStore.
func (f faultyFeeds) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[post.Post]) ([]cqrsfeed.FeedUpdated, error) {
	switch {
	case f.faults.strikes(FaultFeeds):
		return nil, errFeeds
	case f.faults.strikes(FaultProjector):
		_, err := f.Store.Apply(ctx, batch[:len(batch)/2])
		return nil, errors.Join(err, errProjector)
	}
	return f.Store.Apply(ctx, batch)
}

// Recount implements cqrsfeed.FeedStore.
func (f faultyFeeds) Recount(ctx context.Context) ([]cqrsfeed.FeedUpdated, error) {
	if f.faults.strikes(FaultFeeds) {
		return nil, errFeeds
	}
	return f.Store.Recount(ctx)
}

// Feeds implements cqrsfeed.FeedStore.
func (f faultyFeeds) Feeds(ctx context.Context, after string, limit int) ([]cqrsfeed.Feed, error) {
	if f.faults.strikes(FaultFeeds) {
		return nil, errFeeds
	}
	return f.Store.Feeds(ctx, after, limit)
}

// Page implements cqrsfeed.FeedStore.
func (f faultyFeeds) Page(ctx context.Context, feed, cursor string, limit int) (cqrsfeed.FeedPage[post.Post], error) {
	if f.faults.strikes(FaultFeeds) {
		return cqrsfeed.FeedPage[post.Post]{}, errFeeds
	}
	return f.Store.Page(ctx, feed, cursor, limit)
}

// Union implements cqrsfeed.UnionStore.
func (f faultyFeeds) Union(ctx context.Context, feeds []string, cursor string, limit int) (cqrsfeed.FeedPage[post.Post], error) {
	store, ok := f.Store.(cqrsfeed.UnionStore[post.Post])
	if !ok || f.faults.strikes(FaultFeeds) {
		return cqrsfeed.FeedPage[post.Post]{}, errFeeds
	}
	return store.Union(ctx, feeds, cursor, limit)
}

// ItemVersion implements cqrsfeed.FeedStore.
func (f faultyFeeds) ItemVersion(ctx context.Context, id string) (int64, error) {
	if f.faults.strikes(FaultFeeds) {
		return 0, errFeeds
	}
	return f.Store.ItemVersion(ctx, id)
}
