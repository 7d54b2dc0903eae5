package readmodel_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// orphaned is a read model of a write model that is gone.
type orphaned struct {
	countingStore

	ids   []string
	most  int // items that were asked for at once
	bytes int // that Forget was given
}

// StoredIDs implements readmodel.Store.
func (o *orphaned) StoredIDs(_ context.Context, after string, limit int) ([]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	from, _ := slices.BinarySearch(o.ids, after+"\x00")
	return slices.Clone(o.ids[from:min(len(o.ids), from+limit)]), nil
}

// StoredItems implements readmodel.Store.
func (o *orphaned) StoredItems(_ context.Context, ids []string) (items []readmodel.StoredItem, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.most = max(o.most, len(ids))
	for _, id := range ids {
		items = append(items, readmodel.StoredItem{ID: id, Version: 1, Feeds: []string{"all"}, Body: make([]byte, 1000)})
	}
	return items, nil
}

// Feeds implements readmodel.Store.
func (*orphaned) Feeds(context.Context, string, int) ([]cqrsfeed.Feed, error) { return nil, nil }

// StoredCounts implements readmodel.Store.
func (*orphaned) StoredCounts(context.Context, []string) ([]readmodel.StoredCount, error) {
	return nil, nil
}

// Forget implements readmodel.Store.
func (o *orphaned) Forget(_ context.Context, seen []readmodel.StoredItem) ([]cqrsfeed.FeedUpdated, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, item := range seen {
		o.bytes += len(item.Body)
		o.ids = slices.DeleteFunc(o.ids, func(id string) bool { return id == item.ID })
	}
	return nil, nil
}

// TestOrphansAreReadFewAtATime, because nothing bounds how large their bodies are together.
func TestOrphansAreReadFewAtATime(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*orphaned) (int64, error){
		"rebuild": func(o *orphaned) (int64, error) {
			summary, err := readmodel.Rebuild(t.Context(), readmodel.RebuildConfig[[]string]{Source: &numberedItems{}, Store: o, FeedsOf: feedsOf})
			return summary.Orphans, err
		},
		"repair": func(o *orphaned) (int64, error) {
			summary, err := readmodel.Audit(t.Context(), readmodel.AuditConfig[[]string]{
				Source: &numberedItems{}, Store: o, FeedsOf: feedsOf, Repair: true, RecheckDelay: 1,
			})
			return summary.Repaired, err
		},
	} {
		o := &orphaned{}
		for i := range 700 {
			o.ids = append(o.ids, fmt.Sprintf("%04d", i))
		}
		removed, err := run(o)
		require.NoError(t, err, name)
		require.Equal(t, int64(700), removed, name)
		require.LessOrEqual(t, o.most, 20, name)
		require.Zero(t, o.bytes, name)
		require.Empty(t, o.ids, name)
	}
}
