package tableprojection

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// Model returns the applied states as a read model, for readmodel.Rebuild, readmodel.Audit and package operate, whose
// FeedsOf can be left out. A rebuild makes the steps to the states of the write model. An audit compares the last
// applied versions and bodies. Its repair makes the steps from those to the states of the write model, even to an older
// one. Neither reads the application's tables: if another program has changed these, Clear and rebuild.
//
// The model has no pages. A rebuild with a Publisher announces the table on UpdatesTopic by a FeedUpdated without a
// Feed, each second while steps are made, and when it is done. A repair does the same. Streams of an ssestream.Router
// that follow the topic then load all keys again.
func (p *Projection[T]) Model() readmodel.Store[T] {
	m := &tableModel[T]{projection: p}
	m.changed.Store(true) // perhaps by a rebuild that was stopped before it announced that
	return m
}

// tableModel puts every item into one feed with the projection's name, so that its content is compared.
type tableModel[T any] struct {
	projection *Projection[T]
	changed    atomic.Bool // since the last Recount
}

// FeedsOf returns the feed of all items.
func (m *tableModel[T]) FeedsOf(cqrsfeed.Item[T]) []string { return []string{m.projection.name} }

// Apply implements cqrsfeed.FeedStore. It returns no feeds: Recount returns what has changed.
func (m *tableModel[T]) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[T]) ([]cqrsfeed.FeedUpdated, error) {
	all := make([]next[T], len(batch))
	for i, change := range batch {
		if err := change.Validate(); err != nil {
			return nil, m.projection.wrap("apply", err)
		}
		all[i] = next[T]{item: change.Item, withheld: change.Withheld}
	}
	states, _ := newestStates(all)
	return nil, m.advance(ctx, "apply", states)
}

// Restate implements readmodel.Repairer in one transaction.
func (m *tableModel[T]) Restate(ctx context.Context, states []readmodel.Restatement[T]) ([]cqrsfeed.FeedUpdated, error) {
	repairs := make([]next[T], len(states))
	for i, state := range states {
		if err := state.Change.Validate(); err != nil {
			return nil, m.projection.wrap("restate", err)
		}
		repairs[i] = next[T]{item: state.Change.Item, withheld: state.Change.Withheld, seen: state.Seen.Version, repair: true}
	}
	return nil, m.advance(ctx, "restate", repairs)
}

// Forget implements readmodel.Repairer in one transaction: the items leave the application's tables.
func (m *tableModel[T]) Forget(ctx context.Context, seen []readmodel.StoredItem) ([]cqrsfeed.FeedUpdated, error) {
	states := make([]next[T], len(seen))
	for i, item := range seen {
		gone := cqrsfeed.Item[T]{ID: item.ID, Version: item.Version, Deleted: true}
		states[i] = next[T]{item: gone, seen: item.Version, repair: true, forget: true}
	}
	return nil, m.advance(ctx, "forget", states)
}

// advance returns cqrsfeed.ErrInvalid for a state that Step refuses, and for one whose step cannot begin. Rebuilds and
// audits skip such items.
func (m *tableModel[T]) advance(ctx context.Context, what string, states []next[T]) error {
	advanced, err := m.projection.advance(ctx, states)
	if advanced && err == nil {
		m.changed.Store(true)
	}
	if (len(driver.Refusals(err)) > 0 || errors.Is(err, errUnreadable)) && !errors.Is(err, cqrsfeed.ErrInvalid) {
		err = fmt.Errorf("%w: %w", cqrsfeed.ErrInvalid, err)
	}
	return m.projection.wrap(fmt.Sprintf("%s %d items", what, len(states)), err)
}

// ItemVersion implements cqrsfeed.FeedStore.
func (m *tableModel[T]) ItemVersion(ctx context.Context, id string) (int64, error) {
	return m.projection.ItemVersion(ctx, id)
}

// StoredIDs implements readmodel.Inspector.
func (m *tableModel[T]) StoredIDs(ctx context.Context, after string, limit int) (ids []string, err error) {
	p := m.projection
	err = p.database.Retry(ctx, func() (err error) {
		ids, err = sqldb.Query(ctx, p.database.DB, p.sql.ids, []any{after, driver.PageLimit(limit)}, sqldb.ScanID)
		return err
	})
	return ids, p.wrap(fmt.Sprintf("list applied items after %q", after), err)
}

// StoredItems implements readmodel.Inspector.
func (m *tableModel[T]) StoredItems(ctx context.Context, ids []string) ([]readmodel.StoredItem, error) {
	p := m.projection
	var found map[string]applied
	err := p.database.Retry(ctx, func() (err error) {
		found, err = p.read(ctx, p.database.DB, sqldb.Args(ids))
		return err
	})
	if err != nil {
		return nil, p.wrap(fmt.Sprintf("read %d items", len(ids)), err)
	}
	items := make([]readmodel.StoredItem, 0, len(found))
	for _, a := range found {
		item := readmodel.StoredItem{
			ID: a.id, Version: a.version, Withheld: a.withheld(), Decoded: true, Body: []byte(a.body),
			CreatedAt: time.UnixMicro(a.createdAt).UTC(), UpdatedAt: time.UnixMicro(a.updatedAt).UTC(),
		}
		if a.body != "" {
			item.Feeds = []string{p.name}
		}
		items = append(items, item)
	}
	return items, nil
}

// StoredCounts implements readmodel.Inspector. There is nothing to count.
func (m *tableModel[T]) StoredCounts(_ context.Context, feeds []string) ([]readmodel.StoredCount, error) {
	counts := make([]readmodel.StoredCount, len(feeds))
	for i, feed := range feeds {
		counts[i] = readmodel.StoredCount{Feed: feed, Exact: true}
	}
	return counts, nil
}

// ForgetFeeds implements readmodel.Repairer. There is nothing to forget.
func (*tableModel[T]) ForgetFeeds(context.Context, time.Time) (int64, error) { return 0, nil }

// RecountFeeds implements readmodel.Repairer.
func (*tableModel[T]) RecountFeeds(context.Context, []string) ([]cqrsfeed.FeedUpdated, error) {
	return nil, nil
}

// Recount implements cqrsfeed.FeedStore. It returns an update without a feed if the table has changed since the last call, so
// that rebuilds and repairs announce that from time to time, and not with each batch.
func (m *tableModel[T]) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) {
	if m.changed.Swap(false) {
		return []cqrsfeed.FeedUpdated{{}}, nil
	}
	return nil, nil
}

// Feeds implements cqrsfeed.FeedStore.
func (*tableModel[T]) Feeds(context.Context, string, int) ([]cqrsfeed.Feed, error) { return nil, nil }

// Page implements cqrsfeed.FeedStore. It returns ErrInvalid.
func (m *tableModel[T]) Page(context.Context, string, string, int) (cqrsfeed.FeedPage[T], error) {
	return cqrsfeed.FeedPage[T]{}, m.projection.wrap("page", fmt.Errorf("%w: read the tables of the application", cqrsfeed.ErrInvalid))
}
