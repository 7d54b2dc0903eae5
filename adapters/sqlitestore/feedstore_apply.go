package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Apply implements cqrsfeed.FeedStore, in one transaction.
//
// Each feed that changed gets the next revision, once. A version that was applied before changes nothing;
// the feeds that it changed then are returned all the same, with their present revisions, because the
// process may have ended before it could announce them.
func (s *FeedStore[T]) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[T]) ([]cqrsfeed.FeedUpdated, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	for _, change := range batch {
		if err := change.Validate(); err != nil {
			return nil, fmt.Errorf("sqlitestore: apply item changes: %w", err)
		}
	}
	var updated []cqrsfeed.FeedUpdated
	err := s.database.Change(ctx, func(tx *sql.Conn) (err error) {
		updated, err = s.apply(ctx, tx, batch)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: apply %d item changes: %w", len(batch), err)
	}
	return updated, nil
}

func (s *FeedStore[T]) apply(ctx context.Context, tx *sql.Conn, batch []cqrsfeed.FeedChange[T]) ([]cqrsfeed.FeedUpdated, error) {
	a := applying[T]{
		statements: statements{tx: tx, prepared: map[string]*sql.Stmt{}},
		tables:     s.tables,
		counts:     map[string]int64{},
		announced:  map[string]bool{},
	}
	defer a.statements.close()
	newest := map[string]cqrsfeed.FeedChange[T]{}
	for _, change := range batch {
		if known, ok := newest[change.Item.ID]; !ok || change.Item.Version > known.Item.Version {
			newest[change.Item.ID] = change
		}
	}
	for _, id := range slices.Sorted(maps.Keys(newest)) {
		if err := a.bringUpToDate(ctx, newest[id]); err != nil {
			return nil, fmt.Errorf("item %q version %d: %w", id, newest[id].Item.Version, err)
		}
	}
	for _, change := range batch {
		if err := a.announceAgain(ctx, change); err != nil {
			return nil, fmt.Errorf("item %q version %d: %w", change.Item.ID, change.Item.Version, err)
		}
	}
	return a.revisions(ctx)
}

// applying is one Apply at work, within its transaction.
type applying[T any] struct {
	statements statements
	tables     feedTables
	counts     map[string]int64 // the feeds that change, and by how much each one grows
	announced  map[string]bool  // feeds that an earlier Apply may not have lived to announce
}

// place is where an item's entries are.
type place struct {
	version   int64
	createdAt int64
	feeds     map[string]bool
}

func (a *applying[T]) placeOf(ctx context.Context, id string) (place, error) {
	p := place{feeds: map[string]bool{}}
	var names string
	err := a.statements.queryRow(ctx, a.tables.selectItem, []any{&p.version, &p.createdAt, &names}, id)
	if errors.Is(err, sql.ErrNoRows) {
		return p, nil
	}
	if err != nil {
		return place{}, err
	}
	var feeds []string
	if err := json.Unmarshal([]byte(names), &feeds); err != nil {
		return place{}, fmt.Errorf("decode feeds: %w", err)
	}
	for _, feed := range feeds {
		p.feeds[feed] = true
	}
	return p, nil
}

// bringUpToDate moves the item's entries to where its newest version belongs, unless it is there already.
func (a *applying[T]) bringUpToDate(ctx context.Context, change cqrsfeed.FeedChange[T]) error {
	item := change.Item
	old, err := a.placeOf(ctx, item.ID)
	if err != nil {
		return err
	}
	if item.Version <= old.version {
		return nil
	}
	next := place{version: item.Version, createdAt: item.CreatedAt.UnixMicro(), feeds: map[string]bool{}}
	if !item.Deleted {
		for _, feed := range change.Feeds {
			next.feeds[feed] = true
		}
	}
	if err := a.leave(ctx, item.ID, old, next); err != nil {
		return err
	}
	if err := a.enter(ctx, item, old, next); err != nil {
		return err
	}
	names, err := json.Marshal(slices.Sorted(maps.Keys(next.feeds)))
	if err != nil {
		return fmt.Errorf("encode feeds: %w", err)
	}
	return a.statements.exec(ctx, a.tables.upsertItem, item.ID, next.version, next.createdAt, string(names))
}

func (a *applying[T]) leave(ctx context.Context, id string, old, next place) error {
	for feed := range old.feeds {
		if next.feeds[feed] && next.createdAt == old.createdAt {
			continue // enter writes over the entry
		}
		if err := a.statements.exec(ctx, a.tables.deleteEntry, feed, old.createdAt, id); err != nil {
			return err
		}
		if next.feeds[feed] {
			continue
		}
		a.changed(feed, -1)
		if err := a.statements.exec(ctx, a.tables.upsertDeparture, id, feed, next.version); err != nil {
			return err
		}
	}
	return nil
}

func (a *applying[T]) enter(ctx context.Context, item cqrsfeed.Item[T], old, next place) error {
	if len(next.feeds) == 0 {
		return nil
	}
	body, err := json.Marshal(item.Body)
	if err != nil {
		return fmt.Errorf("%w: encode body: %w", cqrsfeed.ErrInvalid, err)
	}
	updatedAt := item.UpdatedAt.UnixMicro()
	for feed := range next.feeds {
		err := a.statements.exec(ctx, a.tables.upsertEntry, feed, next.createdAt, item.ID, next.version, updatedAt, string(body))
		if err != nil {
			return err
		}
		if old.feeds[feed] {
			a.changed(feed, 0)
		} else {
			a.changed(feed, 1)
		}
	}
	return nil
}
