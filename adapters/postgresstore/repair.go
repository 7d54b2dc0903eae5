package postgresstore

import (
	"context"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// Restate implements readmodel.Repairer in one transaction.
func (s *FeedStore[T]) Restate(ctx context.Context, states []readmodel.Restatement[T]) ([]cqrsfeed.FeedUpdated, error) {
	ids, wanted := make([]string, len(states)), map[string]readmodel.Restatement[T]{}
	for i, state := range states {
		if err := state.Change.Validate(); err != nil {
			return nil, fmt.Errorf("postgresstore: restate items: %w", err)
		}
		ids[i] = state.Change.Item.ID
		wanted[ids[i]] = state
	}
	return s.repair(ctx, fmt.Sprintf("restate %d items", len(states)), ids, func(a *applying, old record) error {
		state := wanted[old.id]
		if old.state != state.Seen.State() {
			return nil
		}
		if err := replace(a, state.Change, old); err != nil {
			return fmt.Errorf("item %q version %d: %w", old.id, state.Change.Item.Version, err)
		}
		return nil
	})
}

// Forget implements readmodel.Repairer in one transaction.
func (s *FeedStore[T]) Forget(ctx context.Context, seen []readmodel.StoredItem) ([]cqrsfeed.FeedUpdated, error) {
	ids, states := make([]string, len(seen)), map[string]cqrsfeed.FeedState{}
	for i, item := range seen {
		ids[i] = item.ID
		states[item.ID] = item.State()
	}
	return s.repair(ctx, fmt.Sprintf("forget %d items", len(seen)), ids, func(a *applying, old record) error {
		if !old.known || old.state != states[old.id] {
			return nil
		}
		for _, e := range old.entries {
			a.changes(e.feed, 0)
			a.displaced.add(e, old.id)
		}
		a.forgotten = append(a.forgotten, old.id)
		return nil
	})
}

// repair calls change with the record of each item, in a transaction. Then it counts the feeds that changed, because the
// damage may have made their counts wrong.
func (s *FeedStore[T]) repair(
	ctx context.Context, what string, ids []string, change func(a *applying, old record) error,
) ([]cqrsfeed.FeedUpdated, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	updated, err := s.transact(ctx, func(a *applying) error {
		records, err := a.read(ctx, ids)
		if err != nil {
			return err
		}
		for _, old := range records {
			if err := change(a, old); err != nil {
				return err
			}
		}
		return a.write(ctx, a.recountFeeds)
	})
	if err != nil {
		return nil, fmt.Errorf("postgresstore: %s: %w", what, err)
	}
	return updated, nil
}

// RecountFeeds implements readmodel.Repairer in one transaction.
func (s *FeedStore[T]) RecountFeeds(ctx context.Context, feeds []string) ([]cqrsfeed.FeedUpdated, error) {
	updated, err := s.transact(ctx, func(a *applying) error {
		for _, feed := range feeds {
			a.changes(feed, 0)
		}
		return a.write(ctx, a.recountFeeds)
	})
	if err != nil {
		return nil, fmt.Errorf("postgresstore: recount %d feeds: %w", len(feeds), err)
	}
	return updated, nil
}

// ForgetFeeds implements readmodel.Repairer in one statement.
func (s *FeedStore[T]) ForgetFeeds(ctx context.Context, before time.Time) (forgotten int64, err error) {
	err = s.database.Change(ctx, func(tx *sqldb.Conn) error {
		return tx.QueryRowContext(ctx, s.tables.forgetFeeds, before.UnixMicro()).Scan(&forgotten)
	})
	if err != nil {
		return 0, fmt.Errorf("postgresstore: forget feeds: %w", err)
	}
	return forgotten, nil
}
