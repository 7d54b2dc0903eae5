package mongostore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// itemsAtOnce bounds the items that go through the steps together.
const itemsAtOnce = 1000

// Apply implements cqrsfeed.FeedStore. It takes a fixed number of round trips for up to 1,000 items, whatever their
// feeds are. The whole batch is validated before anything is written. The package comment describes the steps.
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

// application takes a batch through the steps of Apply. After a crash at any step the same batch must come again;
// docs/adr/0004-apply-without-transactions.md says why that is enough.
type application struct {
	collections

	countAtOnce int
	plans       []*plan
	// heads are the feeds as they were read before anything was counted; nil where there is none.
	heads map[string]*feedDocument
	// revisions are what is announced.
	revisions map[string]int64
}

func (s *FeedStore[T]) newApplication(plans []*plan, revisions map[string]int64) *application {
	return &application{
		collections: s.collections, countAtOnce: s.config.CountAtOnce,
		plans: plans, heads: make(map[string]*feedDocument), revisions: revisions,
	}
}

func (a *application) run(ctx context.Context) error {
	if err := a.write(ctx); err != nil {
		return fmt.Errorf("write items: %w", err)
	}
	return a.announce(ctx)
}

// announce does what follows the write: it bumps feeds, settles items, and reads the revisions that it does
// not know.
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
