package mongostore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// itemsAtOnce bounds the items that go through the steps together, so that a rebuild's large batch does
// not become one large command.
const itemsAtOnce = 1000

// giveUpFactor is how many times in SecondLook a worker could work on a batch. The claim that leaves a place can
// be late by one of them, and a worker that read the item just before it by another one; the rest is left for
// clocks that differ and for commands on their way.
const giveUpFactor = 4

// Apply implements cqrsfeed.FeedStore. It takes a fixed number of round trips for a batch of up to 1,000
// items, whatever their feeds; the package comment lists them. The batch is validated as a whole before
// anything is written.
func (s *FeedStore[T]) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[T]) ([]cqrsfeed.FeedUpdated, error) {
	plans, err := planItems(batch)
	if err != nil {
		return nil, fmt.Errorf("apply to feeds: %w", err)
	}
	revisions := make(map[string]int64)
	for chunk := range slices.Chunk(plans, itemsAtOnce) {
		if err := s.applyChunk(ctx, chunk, revisions); err != nil {
			return nil, fmt.Errorf("apply %d items to feeds: %w", len(chunk), err)
		}
	}
	return announcements(revisions), nil
}

// applyChunk gives up where it takes so long that the second look could come before its last write.
func (s *FeedStore[T]) applyChunk(ctx context.Context, chunk []*plan, revisions map[string]int64) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.SecondLook/giveUpFactor)
	defer cancel()
	ctx = undated{ctx}
	a := s.newApplication(chunk, revisions)
	//nolint:contextcheck // undated only keeps its deadline to itself
	if err := a.runSteps(ctx, []step{{"claim items", a.claim}}); err != nil {
		return err
	}
	return a.reconcile(ctx) //nolint:contextcheck // undated only keeps its deadline to itself
}

// undated is a context that ends when it does and does not say beforehand when that is: with a deadline the driver
// would no longer bound each operation by the client's own timeout, and one on a dead connection would hang until then.
type undated struct {
	context.Context //nolint:containedctx // it is one
}

// Deadline says that there is none.
func (undated) Deadline() (time.Time, bool) { return time.Time{}, false }

func (s *FeedStore[T]) newApplication(plans []*plan, revisions map[string]int64) *application {
	return &application{
		collections: s.collections, config: s.config, bulk: s.bulk, budget: s.budget, known: s.known,
		plans: plans, tell: make(map[string]bool), revisions: revisions,
	}
}

// application is one run of a batch through the steps.
type application struct {
	collections
	config FeedStoreConfig
	bulk   bool
	budget *countBudget
	known  *knownFeeds

	plans []*plan
	// bumped are the feeds that this pass changed, sorted, and token marks its bump in them.
	bumped []string
	token  bson.ObjectID
	// moved are the items that a newer version claimed meanwhile, with what is known of them since.
	moved []*plan
	// heads are the feeds as they were read after the bump, and counts those that were counted after it.
	heads  map[string]feedDocument
	counts map[string]int64
	// tell are the feeds to announce and revisions what to announce.
	tell      map[string]bool
	revisions map[string]int64
}

// step is a part of Apply that a crash can fall behind. Whatever it fell behind, a repeated Apply finishes;
// the comment of each step says why.
type step struct {
	name string
	run  func(context.Context) error
}

// reconcile takes the plans, whose states are known, through the other steps. Items that were overtaken by a
// newer version go through them a second time, in which they only clear away what is theirs; they cannot be
// overtaken again.
func (a *application) reconcile(ctx context.Context) error {
	for len(a.plans) > 0 {
		err := a.runSteps(ctx, []step{
			{"write entries", a.writeEntries},
			{"bump revisions", a.bump},
			{"verify and count", a.verifyAndCount},
			{"store counts", a.storeCounts},
		})
		if err != nil {
			return err
		}
		a.plans = a.moved
	}
	return nil
}

func (a *application) runSteps(ctx context.Context, steps []step) error {
	for _, step := range steps {
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// announcements are the revisions sorted by feed.
func announcements(revisions map[string]int64) []cqrsfeed.FeedUpdated {
	updated := make([]cqrsfeed.FeedUpdated, 0, len(revisions))
	for _, feed := range slices.Sorted(maps.Keys(revisions)) {
		updated = append(updated, cqrsfeed.FeedUpdated{Feed: feed, Revision: revisions[feed]})
	}
	return updated
}
