package readmodel

import (
	"context"
	"fmt"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// feedsAtOnce is how many feeds are counted by one call.
const feedsAtOnce = 100

// checkUnlisted looks whether feeds that have entries tell that they have none, which the list of feeds
// cannot show. Entries of a feed come together, so that each is looked at once or twice.
func (a *audit[T]) checkUnlisted(ctx context.Context, places []Place) error {
	var names []string
	for _, at := range places {
		if n := len(names); n == 0 || names[n-1] != at.Feed {
			names = append(names, at.Feed)
		}
	}
	return a.countFeeds(ctx, names, func(c StoredCount) bool { return c.Count == 0 })
}

// checkCounts goes through the list of feeds.
func (a *audit[T]) checkCounts(ctx context.Context) error {
	for after := ""; ; {
		var feeds []cqrsfeed.Feed
		err := a.try(ctx, func() (err error) {
			feeds, err = a.config.Store.Feeds(ctx, after, cqrsfeed.MaxPageLimit)
			return err
		})
		if err != nil {
			return err
		}
		if len(feeds) == 0 {
			return a.counts.finish(ctx)
		}
		names := make([]string, 0, len(feeds))
		for _, feed := range feeds {
			names = append(names, feed.Name)
		}
		if err := a.countFeeds(ctx, names, func(StoredCount) bool { return true }); err != nil {
			return err
		}
		a.summary.Feeds += int64(len(feeds))
		a.progress()
		after = names[len(names)-1]
	}
}

// countFeeds is the first look at counts.
func (a *audit[T]) countFeeds(ctx context.Context, names []string, relevant func(StoredCount) bool) error {
	for len(names) > 0 {
		n := min(len(names), feedsAtOnce)
		counts, err := a.storedCounts(ctx, names[:n])
		if err != nil {
			return err
		}
		for _, c := range counts {
			if c.Count != c.Entries && relevant(c) {
				a.counts.later(c, 1)
			}
		}
		if err := a.counts.lookAtDue(ctx); err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}

func (a *audit[T]) storedCounts(ctx context.Context, names []string) (counts []StoredCount, err error) {
	err = a.try(ctx, func() error {
		counts, err = a.inspector.StoredCounts(ctx, names)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count %d feeds from %q on: %w", len(names), names[0], err)
	}
	return counts, nil
}

// lookAtCounts is the second look. Where the store cannot count and tell the count in one moment, only a feed
// that did not change in between says anything; one that changes is counted anew with that.
func (a *audit[T]) lookAtCounts(ctx context.Context, suspects []suspect[StoredCount]) error {
	names := make([]string, 0, len(suspects))
	before := make(map[string]suspect[StoredCount], len(suspects))
	for _, s := range suspects {
		if _, twice := before[s.seen.Feed]; !twice {
			names = append(names, s.seen.Feed)
		}
		before[s.seen.Feed] = s
	}
	for len(names) > 0 {
		n := min(len(names), feedsAtOnce)
		counts, err := a.storedCounts(ctx, names[:n])
		if err != nil {
			return err
		}
		var drifts []StoredCount
		for _, c := range counts {
			s := before[c.Feed]
			switch {
			case c.Count == c.Entries:
			case c.Exact || c.Revision == s.seen.Revision:
				drifts = append(drifts, c)
			case s.looks >= mostLooks:
				a.summary.Unsettled++
			default:
				a.counts.later(c, s.looks+1)
			}
		}
		if err := a.settleCounts(ctx, drifts); err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}

func (a *audit[T]) settleCounts(ctx context.Context, drifts []StoredCount) error {
	if len(drifts) == 0 {
		return nil
	}
	if a.config.Heal {
		names := make([]string, 0, len(drifts))
		for _, c := range drifts {
			names = append(names, c.Feed)
		}
		var updated []cqrsfeed.FeedUpdated
		err := a.try(ctx, func() (err error) {
			updated, err = a.repairer.RecountFeeds(ctx, names)
			return err
		})
		if err != nil {
			return fmt.Errorf("recount %d feeds from %q on: %w", len(names), names[0], err)
		}
		if err := a.announcer.announce(ctx, updated); err != nil {
			return err
		}
	}
	for _, c := range drifts {
		a.report(Drift{
			Kind: DriftCount, Feed: c.Feed, Want: fmt.Sprintf("count %d", c.Entries),
			Got: fmt.Sprintf("count %d", c.Count), Healed: a.config.Heal,
		})
	}
	return nil
}
