package mongostore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// itemsAtOnce is the maximum number of items that pass through the steps together.
const itemsAtOnce = 1000

// Apply implements cqrsfeed.FeedStore. It takes a fixed number of round trips for up to 1,000 items, independent of
// their feeds. It validates the whole batch before it writes anything. The package comment describes the steps.
func (s *FeedStore[T]) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[T]) ([]cqrsfeed.FeedUpdated, error) {
	plans, err := planItems(batch)
	if err != nil {
		return nil, fmt.Errorf("apply to feeds: %w", err)
	}
	revisions := make(map[string]int64)
	for chunk := range slices.Chunk(plans, itemsAtOnce) {
		if err := s.newApplication(chunk, revisions).run(ctx); err != nil {
			return nil, fmt.Errorf("apply %d items to feeds: %w", len(chunk), err)
		}
	}
	return announcements(revisions), nil
}

// application executes the steps of Apply for a batch. After a crash at any step the same batch must be redelivered:
// docs/adr/0004-apply-without-transactions.md says why that is enough.
type application struct {
	collections

	countAtOnce int
	plans       []*plan
	// heads are the heads of feeds as they were before anything was counted; nil for a feed without one.
	heads map[string]*feedDocument
	// before are the heads that the store knew before anything was written.
	before map[string]feedDocument
	// assumed reports whether heads has heads that were not read, because the store was the last to write them, as far as
	// it knows.
	assumed bool
	// revisions are the revisions to announce.
	revisions map[string]int64
}

func (s *FeedStore[T]) newApplication(plans []*plan, revisions map[string]int64) *application {
	return &application{
		collections: s.collections, countAtOnce: s.config.CountAtOnce,
		plans: plans, heads: make(map[string]*feedDocument), revisions: revisions,
	}
}

func (a *application) run(ctx context.Context) error {
	a.noteHeads()
	if err := a.write(ctx); err != nil {
		return fmt.Errorf("write items: %w", err)
	}
	return a.announce(ctx)
}

// noteHeads notes the heads that the store knows, for the feeds of items that are most likely new.
func (a *application) noteHeads() {
	a.before = make(map[string]feedDocument)
	for _, p := range a.plans {
		if !p.first {
			continue
		}
		for _, feed := range p.next.Feeds {
			known := a.known.of(feed)
			a.before[feed] = known.feedDocument
			if known.own {
				a.heads[feed], a.assumed = &known.feedDocument, true
			}
		}
	}
}

// announce does the steps after the write: it bumps feeds, settles items, and reads unknown revisions.
func (a *application) announce(ctx context.Context) error {
	var toBump, toTell [][]string
	for _, p := range a.plans {
		toBump = append(toBump, p.toBump())
		toTell = append(toTell, p.toTell())
	}
	unknown, err := a.bump(ctx, union(toBump...))
	if err != nil {
		return fmt.Errorf("bump feeds: %w", err)
	}
	return together(ctx, a.settle, func(ctx context.Context) error {
		return a.readRevisions(ctx, union(append(toTell, unknown)...))
	})
}

// announcements returns revisions sorted by feed.
func announcements(revisions map[string]int64) []cqrsfeed.FeedUpdated {
	updated := make([]cqrsfeed.FeedUpdated, 0, len(revisions))
	for _, feed := range slices.Sorted(maps.Keys(revisions)) {
		updated = append(updated, cqrsfeed.FeedUpdated{Feed: feed, Revision: revisions[feed]})
	}
	return updated
}
