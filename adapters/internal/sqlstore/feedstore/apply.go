package feedstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// Apply implements cqrsfeed.FeedStore in one transaction, which gives each changed feed its next revision, once.
//
// A state that was applied before changes nothing. In that case Apply returns the feeds of the item, and those that it
// left, with their present revisions, because an earlier process may have ended before it announced them.
func (s *Store[T]) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[T]) ([]cqrsfeed.FeedUpdated, error) {
	newest, oldest := map[string]cqrsfeed.FeedChange[T]{}, map[string]int64{}
	for _, change := range batch {
		if err := change.Validate(); err != nil {
			return nil, s.wrap("apply item changes", err)
		}
		id, version := change.Item.ID, change.Item.Version
		if known, twice := newest[id]; !twice || known.State().Before(change.State()) {
			newest[id] = change
		}
		if known, twice := oldest[id]; !twice || version < known {
			oldest[id] = version
		}
	}
	return s.changeItems(ctx, fmt.Sprintf("apply %d item changes", len(batch)), false, slices.Sorted(maps.Keys(newest)),
		func(c *Changes, old Record) error {
			if oldest[old.ID] <= old.State.Version { // it is repeated
				c.tellAgain(old)
			}
			change := newest[old.ID]
			if !old.State.Before(change.State()) {
				return nil
			}
			return replace(c, change, old)
		})
}

// Recount implements cqrsfeed.FeedStore. It does nothing, because Apply keeps the counts.
func (s *Store[T]) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) { return nil, nil }

// The repairs count the feeds that they change, because the damage may have made their counts wrong.

// Restate implements readmodel.Repairer in one transaction.
func (s *Store[T]) Restate(ctx context.Context, states []readmodel.Restatement[T]) ([]cqrsfeed.FeedUpdated, error) {
	wanted := map[string]readmodel.Restatement[T]{}
	for _, state := range states {
		if err := state.Change.Validate(); err != nil {
			return nil, s.wrap("restate items", err)
		}
		wanted[state.Change.Item.ID] = state
	}
	return s.changeItems(ctx, fmt.Sprintf("restate %d items", len(states)), true, slices.Sorted(maps.Keys(wanted)),
		func(c *Changes, old Record) error {
			state := wanted[old.ID]
			if old.State != state.Seen.State() {
				return nil
			}
			return replace(c, state.Change, old)
		})
}

// Forget implements readmodel.Repairer in one transaction.
func (s *Store[T]) Forget(ctx context.Context, seen []readmodel.StoredItem) ([]cqrsfeed.FeedUpdated, error) {
	states := map[string]cqrsfeed.FeedState{}
	for _, item := range seen {
		states[item.ID] = item.State()
	}
	return s.changeItems(ctx, fmt.Sprintf("forget %d items", len(seen)), true, slices.Sorted(maps.Keys(states)),
		func(c *Changes, old Record) error {
			if !old.Known || old.State != states[old.ID] {
				return nil
			}
			for _, e := range old.Entries {
				c.grow(e.Feed, 0)
			}
			c.Displaced = append(c.Displaced, old.Entries...)
			c.Forgotten = append(c.Forgotten, old.ID)
			return nil
		})
}

// RecountFeeds implements readmodel.Repairer in one transaction.
func (s *Store[T]) RecountFeeds(ctx context.Context, feeds []string) ([]cqrsfeed.FeedUpdated, error) {
	return s.transact(ctx, fmt.Sprintf("recount %d feeds", len(feeds)), true, func(_ *sqldb.Conn, c *Changes) error {
		for _, feed := range feeds {
			c.grow(feed, 0)
		}
		return nil
	})
}

// ForgetFeeds implements readmodel.Repairer in one statement.
func (s *Store[T]) ForgetFeeds(ctx context.Context, before time.Time) (forgotten int64, err error) {
	err = s.database.Change(ctx, func(tx *sqldb.Conn) (err error) {
		forgotten, err = s.access.ForgetFeeds(ctx, tx, before.UnixMicro())
		return err
	})
	if err != nil {
		return 0, s.wrap("forget feeds", err)
	}
	return forgotten, nil
}
