package readmodel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// recount makes the store count what was deferred, also by projectors. It ends after RecountCalls calls that returned no new
// feed. It leaves feeds that change as fast as they are counted to the projectors.
func (m models[T]) recount(ctx context.Context, progress func(feeds int)) error {
	counted := make(map[string]bool)
	for quiet := 0; quiet < driver.RecountCalls; quiet++ {
		before := len(counted)
		feeds, err := m.recountOnce(ctx)
		if err != nil {
			return err
		}
		for _, feed := range feeds {
			if feed != "" { // the update of a read model without feeds
				counted[feed] = true
			}
		}
		if len(counted) > before {
			quiet = -1
			progress(len(counted))
		}
	}
	return nil
}

// recountOnce calls Recount, announces the feeds that were counted, and returns their names.
func (m models[T]) recountOnce(ctx context.Context) ([]string, error) {
	newest := make(map[string]int64)
	err := m.try(ctx, func() error {
		updated, err := m.store.Recount(ctx)
		for _, feed := range updated { // also beside an error, since no later attempt returns them again
			newest[feed.Feed] = feed.Revision
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("recount feeds: %w", err)
	}
	feeds := slices.Sorted(maps.Keys(newest))
	updated := make([]cqrsfeed.FeedUpdated, 0, len(feeds))
	for _, feed := range feeds {
		updated = append(updated, cqrsfeed.FeedUpdated{Feed: feed, Revision: newest[feed]})
	}
	return feeds, errors.Join(err, m.announce(ctx, updated))
}

const (
	// recountInterval is the time between two counts while items are applied, as in projectors.
	recountInterval = time.Second
	// recountRest is the least pause after a count, in multiples of what it took: counts take at most a tenth of the time.
	recountRest = 9
)

// recountMeanwhile counts feeds between two batches if it is due, and sets the next time. A store may leave deferred counts to
// the process that deferred them, so without it the counts would stay old until the end.
func (m models[T]) recountMeanwhile(ctx context.Context, next *time.Time) error {
	began := time.Now()
	if next.IsZero() {
		*next = began.Add(recountInterval)
	}
	if began.Before(*next) {
		return nil
	}
	_, err := m.recountOnce(ctx)
	*next = time.Now().Add(max(recountInterval, recountRest*time.Since(began)))
	return err
}
