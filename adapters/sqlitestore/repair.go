package sqlitestore

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

// Restate implements readmodel.Repairer in one transaction.
func (s *FeedStore[T]) Restate(ctx context.Context, states []readmodel.Restatement[T]) ([]cqrsfeed.FeedUpdated, error) {
	for _, state := range states {
		if err := state.Change.Validate(); err != nil {
			return nil, fmt.Errorf("sqlitestore: restate items: %w", err)
		}
	}
	return s.repair(ctx, fmt.Sprintf("restate %d items", len(states)), func(a *applying) error {
		for _, state := range states {
			item := state.Change.Item
			old, err := a.read(ctx, item.ID)
			if err == nil && old.state == state.Seen.State() {
				err = write(ctx, a, state.Change, old)
			}
			if err != nil {
				return fmt.Errorf("item %q version %d: %w", item.ID, item.Version, err)
			}
		}
		return nil
	})
}

// Forget implements readmodel.Repairer in one transaction.
func (s *FeedStore[T]) Forget(ctx context.Context, seen []readmodel.StoredItem) ([]cqrsfeed.FeedUpdated, error) {
	return s.repair(ctx, fmt.Sprintf("forget %d items", len(seen)), func(a *applying) error {
		for _, item := range seen {
			if err := a.forget(ctx, item); err != nil {
				return fmt.Errorf("item %q version %d: %w", item.ID, item.Version, err)
			}
		}
		return nil
	})
}

func (a *applying) forget(ctx context.Context, seen readmodel.StoredItem) error {
	old, err := a.read(ctx, seen.ID)
	if err != nil || old.state != seen.State() {
		return err
	}
	for _, e := range old.entries {
		a.changed[e.feed] = 0
	}
	if err := a.statements.exec(ctx, a.tables.deleteEntries, seen.ID); err != nil {
		return err
	}
	return a.statements.exec(ctx, a.tables.deleteItem, seen.ID)
}

// ForgetFeeds implements readmodel.Repairer in one statement.
func (s *FeedStore[T]) ForgetFeeds(ctx context.Context, before time.Time) (forgotten int64, err error) {
	err = s.database.Change(ctx, func(tx *sqldb.Conn) error {
		result, err := tx.ExecContext(ctx, s.tables.forgetFeeds, before.UnixMicro())
		if err != nil {
			return err
		}
		forgotten, err = result.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sqlitestore: forget feeds: %w", err)
	}
	return forgotten, nil
}

// RecountFeeds implements readmodel.Repairer in one transaction.
func (s *FeedStore[T]) RecountFeeds(ctx context.Context, feeds []string) ([]cqrsfeed.FeedUpdated, error) {
	return s.repair(ctx, fmt.Sprintf("recount %d feeds", len(feeds)), func(a *applying) error {
		for _, feed := range feeds {
			a.changed[feed] = 0
		}
		return nil
	})
}

// repair does work in a transaction. Then it counts the feeds that changed, because the damage may have made their
// counts wrong.
func (s *FeedStore[T]) repair(ctx context.Context, what string, work func(*applying) error) (updated []cqrsfeed.FeedUpdated, err error) {
	err = s.transact(ctx, func(a *applying) error {
		if err := work(a); err != nil {
			return err
		}
		updated = nil
		for _, feed := range slices.Sorted(maps.Keys(a.changed)) {
			update := cqrsfeed.FeedUpdated{Feed: feed}
			if err := a.statements.queryRow(ctx, a.tables.recountFeed, []any{&update.Revision}, feed, time.Now().UnixMicro()); err != nil {
				return fmt.Errorf("recount feed %q: %w", feed, err)
			}
			updated = append(updated, update)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: %s: %w", what, err)
	}
	return updated, nil
}
