package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

var _ readmodel.Repairer[any] = (*FeedStore[any])(nil)

// repairing is one repair at work, within its transaction. Feeds that it changes are counted rather than
// added up: what made the repair necessary may have made their counts wrong.
type repairing[T any] struct {
	applying[T]

	feeds map[string]bool
}

func (s *FeedStore[T]) repair(
	ctx context.Context, what string, work func(ctx context.Context, r *repairing[T]) error,
) (updated []cqrsfeed.FeedUpdated, err error) {
	err = s.database.Change(ctx, func(tx *sql.Conn) error {
		r := &repairing[T]{
			applying: applying[T]{statements: statements{tx: tx, prepared: map[string]*sql.Stmt{}}, tables: s.tables},
			feeds:    map[string]bool{},
		}
		defer r.statements.close()
		if err := work(ctx, r); err != nil {
			return err
		}
		updated, err = r.recount(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: %s: %w", what, err)
	}
	return updated, nil
}

// recount counts the feeds of the repair and gives each its next revision.
func (r *repairing[T]) recount(ctx context.Context) ([]cqrsfeed.FeedUpdated, error) {
	count := `(SELECT count(*) FROM ` + quote(r.tables.entries.Name) + ` WHERE feed = ?1)`
	upsert := `INSERT INTO ` + quote(r.tables.feeds.Name) + ` (name, rev, count) VALUES (?1, 1, ` + count + `)
ON CONFLICT (name) DO UPDATE SET rev = rev + 1, count = excluded.count RETURNING rev`
	var updated []cqrsfeed.FeedUpdated
	for _, feed := range slices.Sorted(maps.Keys(r.feeds)) {
		update := cqrsfeed.FeedUpdated{Feed: feed}
		if err := r.statements.queryRow(ctx, upsert, []any{&update.Revision}, feed); err != nil {
			return nil, fmt.Errorf("recount feed %q: %w", feed, err)
		}
		updated = append(updated, update)
	}
	return updated, nil
}

// Restate implements readmodel.Repairer, in one transaction.
func (s *FeedStore[T]) Restate(ctx context.Context, states []readmodel.Restatement[T]) ([]cqrsfeed.FeedUpdated, error) {
	for _, state := range states {
		if err := state.Change.Validate(); err != nil {
			return nil, fmt.Errorf("sqlitestore: restate items: %w", err)
		}
	}
	return s.repair(ctx, fmt.Sprintf("restate %d items", len(states)), func(ctx context.Context, r *repairing[T]) error {
		for _, state := range states {
			if err := r.restate(ctx, state); err != nil {
				return fmt.Errorf("item %q version %d: %w", state.Change.Item.ID, state.Change.Item.Version, err)
			}
		}
		return nil
	})
}

func (r *repairing[T]) restate(ctx context.Context, state readmodel.Restatement[T]) error {
	item := state.Change.Item
	old, err := r.placeOf(ctx, item.ID)
	if err != nil {
		return err
	}
	if old.version != state.Seen.Version {
		return nil // it was applied meanwhile
	}
	if err := r.clear(ctx, item.ID, old); err != nil {
		return err
	}
	body, err := json.Marshal(item.Body)
	if err != nil {
		return fmt.Errorf("%w: encode body: %w", cqrsfeed.ErrInvalid, err)
	}
	places := readmodel.PlacesOf(state.Change)
	names := make([]string, 0, len(places))
	for _, at := range places {
		err := r.statements.exec(ctx, r.tables.upsertEntry,
			at.Feed, at.CreatedAt.UnixMicro(), item.ID, item.Version, item.UpdatedAt.UnixMicro(), string(body))
		if err != nil {
			return err
		}
		r.feeds[at.Feed] = true
		names = append(names, at.Feed)
	}
	for feed := range old.feeds {
		if slices.Contains(names, feed) {
			continue
		}
		if err := r.statements.exec(ctx, r.tables.upsertDeparture, item.ID, feed, item.Version); err != nil {
			return err
		}
	}
	slices.Sort(names)
	encoded, err := json.Marshal(names)
	if err != nil {
		return fmt.Errorf("encode feeds: %w", err)
	}
	return r.statements.exec(ctx, r.tables.upsertItem, item.ID, item.Version, item.CreatedAt.UnixMicro(), string(encoded))
}

// clear removes the entries at the places on record.
func (r *repairing[T]) clear(ctx context.Context, id string, at place) error {
	for feed := range at.feeds {
		if err := r.statements.exec(ctx, r.tables.deleteEntry, feed, at.createdAt, id); err != nil {
			return err
		}
		r.feeds[feed] = true
	}
	return nil
}

// Forget implements readmodel.Repairer, in one transaction.
func (s *FeedStore[T]) Forget(ctx context.Context, seen []readmodel.StoredItem) ([]cqrsfeed.FeedUpdated, error) {
	return s.repair(ctx, fmt.Sprintf("forget %d items", len(seen)), func(ctx context.Context, r *repairing[T]) error {
		for _, item := range seen {
			if err := r.forget(ctx, item); err != nil {
				return fmt.Errorf("item %q version %d: %w", item.ID, item.Version, err)
			}
		}
		return nil
	})
}

func (r *repairing[T]) forget(ctx context.Context, seen readmodel.StoredItem) error {
	old, err := r.placeOf(ctx, seen.ID)
	if err != nil || old.version != seen.Version {
		return err
	}
	if err := r.clear(ctx, seen.ID, old); err != nil {
		return err
	}
	if err := r.statements.exec(ctx, `DELETE FROM `+quote(r.tables.departures.Name)+` WHERE item = ?`, seen.ID); err != nil {
		return err
	}
	return r.statements.exec(ctx, `DELETE FROM `+quote(r.tables.items.Name)+` WHERE id = ?`, seen.ID)
}

// RemoveEntries implements readmodel.Repairer, in one transaction.
func (s *FeedStore[T]) RemoveEntries(ctx context.Context, seen []readmodel.StoredEntry) ([]cqrsfeed.FeedUpdated, error) {
	remove := `DELETE FROM ` + quote(s.tables.entries.Name) + ` WHERE feed = ? AND created_at = ? AND item = ? AND v = ?`
	return s.repair(ctx, fmt.Sprintf("remove %d entries", len(seen)), func(ctx context.Context, r *repairing[T]) error {
		for _, entry := range seen {
			at := entry.Place
			if err := r.statements.exec(ctx, remove, at.Feed, at.CreatedAt.UnixMicro(), at.ID, entry.Version); err != nil {
				return fmt.Errorf("item %q in feed %q: %w", at.ID, at.Feed, err)
			}
			r.feeds[at.Feed] = true
		}
		return nil
	})
}

// RecountFeeds implements readmodel.Repairer, in one transaction.
func (s *FeedStore[T]) RecountFeeds(ctx context.Context, feeds []string) ([]cqrsfeed.FeedUpdated, error) {
	return s.repair(ctx, fmt.Sprintf("recount %d feeds", len(feeds)), func(_ context.Context, r *repairing[T]) error {
		for _, feed := range feeds {
			r.feeds[feed] = true
		}
		return nil
	})
}
