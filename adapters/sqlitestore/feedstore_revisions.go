package sqlitestore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// announceAgain adds the feeds that this version touches when it is applied: those that it belongs to and
// those that the item left with it. An older version than the item's present one changes nothing any more,
// but it may have done so before, in an Apply that did not live to announce it.
func (a *applying[T]) announceAgain(ctx context.Context, change cqrsfeed.FeedChange[T]) error {
	for _, feed := range change.Feeds {
		a.announced[feed] = true
	}
	departed, err := a.statements.queryStrings(ctx, a.tables.selectDepartures, change.Item.ID, change.Item.Version)
	for _, feed := range departed {
		a.announced[feed] = true
	}
	return err
}

func (a *applying[T]) changed(feed string, growth int64) { a.counts[feed] += growth }

// revisions gives every changed feed its next revision and returns those of all feeds to announce.
func (a *applying[T]) revisions(ctx context.Context) ([]cqrsfeed.FeedUpdated, error) {
	var updated []cqrsfeed.FeedUpdated
	for feed, count := range a.counts {
		update := cqrsfeed.FeedUpdated{Feed: feed}
		if err := a.statements.queryRow(ctx, a.tables.upsertFeed, []any{&update.Revision}, feed, count); err != nil {
			return nil, fmt.Errorf("feed %q: %w", feed, err)
		}
		updated = append(updated, update)
	}
	for feed := range a.announced {
		if _, changed := a.counts[feed]; changed {
			continue
		}
		update := cqrsfeed.FeedUpdated{Feed: feed}
		var count int64
		err := a.statements.queryRow(ctx, a.tables.selectFeed, []any{&update.Revision, &count}, feed)
		if errors.Is(err, sql.ErrNoRows) {
			continue // nobody ever wrote to it: the version came late
		}
		if err != nil {
			return nil, fmt.Errorf("feed %q: %w", feed, err)
		}
		updated = append(updated, update)
	}
	slices.SortFunc(updated, func(x, y cqrsfeed.FeedUpdated) int { return cmp.Compare(x.Feed, y.Feed) })
	return updated, nil
}
