package sqlitestore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// Apply implements cqrsfeed.FeedStore in one transaction. Each changed feed gets its next revision, once.
//
// A state that was applied before changes nothing. In that case Apply returns the feeds of the item, and those that it
// left, with their present revisions, because an earlier process may have ended before it announced them.
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
	err := s.transact(ctx, func(a *applying) (err error) {
		updated, err = apply(ctx, a, batch)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: apply %d item changes: %w", len(batch), err)
	}
	return updated, nil
}

// Recount implements cqrsfeed.FeedStore. It does nothing, because Apply keeps the counts.
func (s *FeedStore[T]) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) { return nil, nil }

// transact runs work in a transaction.
func (s *FeedStore[T]) transact(ctx context.Context, work func(*applying) error) error {
	return s.database.Change(ctx, func(tx *sqldb.Conn) error {
		a := &applying{
			statements: &statements{from: tx}, tables: s.tables,
			changed: map[string]int64{}, again: map[string]bool{},
		}
		defer a.statements.close()
		return work(a)
	})
}

// applying is a transaction that changes feeds.
type applying struct {
	statements *statements
	tables     feedTables
	changed    map[string]int64 // the feeds that changed, and by how many items each grew
	again      map[string]bool  // the feeds that an earlier Apply may not have announced
}

func apply[T any](ctx context.Context, a *applying, batch []cqrsfeed.FeedChange[T]) ([]cqrsfeed.FeedUpdated, error) {
	oldest, newest := map[string]int64{}, map[string]cqrsfeed.FeedChange[T]{}
	for _, change := range batch {
		id, version := change.Item.ID, change.Item.Version
		if known, twice := newest[id]; !twice || known.State().Before(change.State()) {
			newest[id] = change
		}
		if known, twice := oldest[id]; !twice || version < known {
			oldest[id] = version
		}
	}
	for _, id := range slices.Sorted(maps.Keys(newest)) {
		change := newest[id]
		if err := applyItem(ctx, a, change, oldest[id]); err != nil {
			return nil, fmt.Errorf("item %q version %d: %w", id, change.Item.Version, err)
		}
	}
	return a.revisions(ctx)
}

// applyItem brings an item to its newest state in the batch. oldest is the oldest version, by which repeats are
// recognized.
func applyItem[T any](ctx context.Context, a *applying, change cqrsfeed.FeedChange[T], oldest int64) error {
	old, err := a.read(ctx, change.Item.ID)
	if err != nil {
		return err
	}
	if oldest <= old.state.Version {
		for _, feed := range slices.Concat(old.feeds(), old.past) {
			a.again[feed] = true
		}
	}
	if !old.state.Before(change.State()) {
		return nil
	}
	return write(ctx, a, change, old)
}

// record is the stored state of an item.
type record struct {
	n         int64 // 0 for an unknown item
	state     cqrsfeed.FeedState
	createdAt int64
	live      bool
	past      []string // feeds that it left, the latest last
	entries   []entry
}

type entry struct {
	feed      string
	createdAt int64
	n         int64
}

// feeds returns the feeds that show the item.
func (r record) feeds() []string {
	feeds := make([]string, 0, len(r.entries))
	for _, e := range r.entries {
		if r.live && e.n == r.n && e.createdAt == r.createdAt {
			feeds = append(feeds, e.feed)
		}
	}
	return feeds
}

func (a *applying) read(ctx context.Context, id string) (record, error) {
	var r record
	var past string
	known := []any{&r.n, &r.state.Version, &r.state.Rule, &r.state.Withheld, &r.createdAt, &r.live, &past}
	err := a.statements.queryRow(ctx, a.tables.selectItem, known, id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return r, err
	}
	if err == nil {
		if err := json.Unmarshal([]byte(past), &r.past); err != nil {
			return r, fmt.Errorf("decode past feeds: %w", err)
		}
	}
	r.entries, err = a.statements.queryEntries(ctx, a.tables.selectEntries, id)
	return r, err
}

// write replaces the stored state of an item, and notes the feeds that this changes.
func write[T any](ctx context.Context, a *applying, change cqrsfeed.FeedChange[T], old record) error {
	item := change.Item
	createdAt := item.CreatedAt.UnixMicro()
	wanted := map[string]bool{}
	var body any
	if !change.Hidden() {
		encoded, err := item.EncodedBody()
		if err != nil {
			return err
		}
		body = string(encoded)
		for _, feed := range change.Feeds {
			wanted[feed] = true
		}
	}
	for feed := range wanted {
		a.changed[feed]++
	}
	var left []string
	for _, feed := range old.feeds() {
		a.changed[feed]--
		if !wanted[feed] {
			left = append(left, feed)
		}
	}
	past, err := json.Marshal(pastFeeds(old.past, left, wanted))
	if err != nil {
		return fmt.Errorf("encode past feeds: %w", err)
	}
	var n int64
	err = a.statements.queryRow(ctx, a.tables.upsertItem, []any{&n},
		item.ID, item.Version, change.Rule, change.State().Withheld, createdAt, item.UpdatedAt.UnixMicro(), body, string(past))
	if err != nil {
		return err
	}
	return a.place(ctx, item.ID, entry{createdAt: createdAt, n: n}, wanted, old.entries)
}

// place makes the entries of an item those of the wanted feeds. Their time and number are those of at.
func (a *applying) place(ctx context.Context, id string, at entry, wanted map[string]bool, entries []entry) error {
	missing := maps.Clone(wanted)
	for _, e := range entries {
		if wanted[e.feed] && e.n == at.n && e.createdAt == at.createdAt {
			delete(missing, e.feed)
		} else if err := a.statements.exec(ctx, a.tables.deleteEntry, e.feed, e.createdAt, id); err != nil {
			return err
		}
	}
	for feed := range missing {
		if err := a.statements.exec(ctx, a.tables.insertEntry, feed, at.createdAt, id, at.n); err != nil {
			return err
		}
	}
	return nil
}

// pastFeeds returns the feeds that an item has left, the latest last. It returns at most MaxFeeds.
func pastFeeds(past, left []string, present map[string]bool) []string {
	past = slices.DeleteFunc(past, func(feed string) bool { return present[feed] || slices.Contains(left, feed) })
	slices.Sort(left)
	past = append(past, left...)
	return append([]string{}, past[max(0, len(past)-limits.MaxFeeds):]...)
}

// revisions gives every changed feed its next revision. It returns the revisions of all feeds to announce.
func (a *applying) revisions(ctx context.Context) ([]cqrsfeed.FeedUpdated, error) {
	var updated []cqrsfeed.FeedUpdated
	now := time.Now().UnixMicro()
	for feed, growth := range a.changed {
		update := cqrsfeed.FeedUpdated{Feed: feed}
		if err := a.statements.queryRow(ctx, a.tables.upsertFeed, []any{&update.Revision}, feed, growth, now); err != nil {
			return nil, fmt.Errorf("feed %q: %w", feed, err)
		}
		updated = append(updated, update)
	}
	for feed := range a.again {
		if _, changed := a.changed[feed]; changed {
			continue
		}
		update, count := cqrsfeed.FeedUpdated{Feed: feed}, int64(0)
		err := a.statements.queryRow(ctx, a.tables.selectFeed, []any{&update.Revision, &count}, feed)
		if errors.Is(err, sql.ErrNoRows) {
			continue // it was removed
		}
		if err != nil {
			return nil, fmt.Errorf("feed %q: %w", feed, err)
		}
		updated = append(updated, update)
	}
	slices.SortFunc(updated, func(x, y cqrsfeed.FeedUpdated) int { return cmp.Compare(x.Feed, y.Feed) })
	return updated, nil
}
