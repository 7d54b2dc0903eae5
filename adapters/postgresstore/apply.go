package postgresstore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// Apply implements cqrsfeed.FeedStore in one transaction, which gives each changed feed its next revision, once.
//
// A state that was applied before changes nothing. In that case Apply returns the feeds of the item, and those that it
// left, with their present revisions, because an earlier process may have ended before it announced them.
func (s *FeedStore[T]) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[T]) ([]cqrsfeed.FeedUpdated, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	for _, change := range batch {
		if err := change.Validate(); err != nil {
			return nil, fmt.Errorf("postgresstore: apply item changes: %w", err)
		}
	}
	newest, oldest := newestStates(batch)
	updated, err := s.transact(ctx, func(a *applying) error {
		records, err := a.read(ctx, slices.Sorted(maps.Keys(newest)))
		if err != nil {
			return err
		}
		for _, old := range records {
			if oldest[old.id] <= old.state.Version {
				a.tellAgain(old)
			}
			change := newest[old.id]
			if !old.state.Before(change.State()) {
				continue
			}
			if err := replace(a, change, old); err != nil {
				return fmt.Errorf("item %q version %d: %w", old.id, change.Item.Version, err)
			}
		}
		return a.write(ctx, a.changeFeeds)
	})
	if err != nil {
		return nil, fmt.Errorf("postgresstore: apply %d item changes: %w", len(batch), err)
	}
	return updated, nil
}

// newestStates returns the newest state of each item of a batch, and its oldest version, by which repeats are recognized.
func newestStates[T any](batch []cqrsfeed.FeedChange[T]) (newest map[string]cqrsfeed.FeedChange[T], oldest map[string]int64) {
	newest, oldest = map[string]cqrsfeed.FeedChange[T]{}, map[string]int64{}
	for _, change := range batch {
		id, version := change.Item.ID, change.Item.Version
		if known, twice := newest[id]; !twice || known.State().Before(change.State()) {
			newest[id] = change
		}
		if known, twice := oldest[id]; !twice || version < known {
			oldest[id] = version
		}
	}
	return newest, oldest
}

// Recount implements cqrsfeed.FeedStore. It does nothing, because Apply keeps the counts.
func (s *FeedStore[T]) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) { return nil, nil }

// transact runs work in a transaction. It returns the revisions of the feeds that changed or are told again, as they are
// after the commit. Within the transaction they would be too low: others that commit first take the same ones.
func (s *FeedStore[T]) transact(ctx context.Context, work func(*applying) error) ([]cqrsfeed.FeedUpdated, error) {
	var told []string
	err := s.database.Change(ctx, func(tx *sqldb.Conn) error {
		a := &applying{tx: tx, tables: s.tables, changed: map[string]int64{}, told: map[string]bool{}}
		err := work(a)
		told = slices.Sorted(maps.Keys(a.told))
		return err
	})
	if err != nil || len(told) == 0 {
		return nil, err
	}
	return readRows(ctx, s, "read revisions", s.tables.readRevisions, []any{told},
		func(row sqldb.Scanner) (update cqrsfeed.FeedUpdated, err error) {
			err = row.Scan(&update.Feed, &update.Revision)
			return update, err
		})
}

// replace notes the new state of an item, and the feeds that it changes.
func replace[T any](a *applying, change cqrsfeed.FeedChange[T], old record) error {
	var body []byte
	wanted := map[string]bool{}
	if !change.Hidden() {
		encoded, err := change.Item.EncodedBody()
		if err != nil {
			return err
		}
		body = encoded
		for _, feed := range change.Feeds {
			wanted[feed] = true
		}
	}
	for feed := range wanted {
		a.changes(feed, 1)
	}
	var left []string
	for _, feed := range old.feeds() {
		a.changes(feed, -1)
		if !wanted[feed] {
			left = append(left, feed)
		}
	}
	createdAt := change.Item.CreatedAt.UnixMicro()
	a.place(old, createdAt, wanted)
	return a.states(old).add(change.Item.ID, change.State(), createdAt, change.Item.UpdatedAt.UnixMicro(), body,
		pastFeeds(old.past, left, wanted))
}

// pastFeeds returns the feeds that an item has left, the latest last. It returns at most MaxFeeds.
func pastFeeds(past, left []string, present map[string]bool) []string {
	past = slices.DeleteFunc(past, func(feed string) bool { return present[feed] || slices.Contains(left, feed) })
	slices.Sort(left)
	past = append(past, left...)
	return append([]string{}, past[max(0, len(past)-limits.MaxFeeds):]...)
}
