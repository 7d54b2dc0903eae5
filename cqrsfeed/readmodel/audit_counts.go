package readmodel

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// feedsAtOnce is how many feeds are counted by one call.
const feedsAtOnce = 100

// checkCounts compares the counts of all feeds: the feeds of the items of both models, and the feeds that the store lists. The
// store does not list a feed whose count was lost.
func (a *audit[T]) checkCounts(ctx context.Context) error {
	for after, more := "", true; more; {
		err := a.try(ctx, func() error {
			feeds, err := a.store.Feeds(ctx, after, limits.MaxPageLimit)
			for _, feed := range feeds {
				a.feeds[feed.Name] = true
				after = feed.Name
			}
			more = len(feeds) > 0
			return err
		})
		if err != nil {
			return fmt.Errorf("list feeds after %q: %w", after, err)
		}
	}
	for names := range slices.Chunk(slices.Sorted(maps.Keys(a.feeds)), feedsAtOnce) {
		different, err := a.differentCounts(ctx, names)
		if err != nil {
			return err
		}
		a.counts = append(a.counts, different...)
		a.summary.Feeds += int64(len(names))
		a.progress()
	}
	return nil
}

// differentCounts returns the feeds whose count is wrong, in the order of their names.
func (a *audit[T]) differentCounts(ctx context.Context, names []string) (different []StoredCount, err error) {
	err = a.try(ctx, func() error {
		different, err = a.store.StoredCounts(ctx, names)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count %d feeds from %q on: %w", len(names), names[0], err)
	}
	return slices.DeleteFunc(different, func(c StoredCount) bool { return c.Count == c.Items }), nil
}

// recheckCounts counts the suspected feeds again, and reports and repairs the drifts. If a store cannot read count and items in
// one snapshot, a difference is a drift only if the feed did not change meanwhile.
func (a *audit[T]) recheckCounts(ctx context.Context) error {
	for before := range slices.Chunk(a.counts, feedsAtOnce) {
		revisions := make(map[string]int64, len(before))
		for _, c := range before {
			revisions[c.Feed] = c.Revision
		}
		different, err := a.differentCounts(ctx, slices.Sorted(maps.Keys(revisions)))
		if err != nil {
			return err
		}
		if a.config.Repair && len(different) > 0 {
			names := make([]string, 0, len(different))
			for _, c := range different {
				names = append(names, c.Feed)
			}
			err := a.write(ctx, func() ([]cqrsfeed.FeedUpdated, error) { return a.store.RecountFeeds(ctx, names) })
			if err != nil {
				return fmt.Errorf("recount %d feeds from %q on: %w", len(names), names[0], err)
			}
		}
		for _, c := range different {
			if !c.Exact && c.Revision != revisions[c.Feed] {
				a.summary.Unsettled++
				continue
			}
			a.report(Drift{
				Kind: DriftCount, Feed: c.Feed, Want: fmt.Sprintf("count %d", c.Items),
				Got: fmt.Sprintf("count %d", c.Count), Repaired: a.config.Repair,
			})
		}
	}
	return nil
}
