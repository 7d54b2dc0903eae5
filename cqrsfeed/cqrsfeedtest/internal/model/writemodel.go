package model

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// RecheckDelay is that of audits in tests. It is short, because few events are under way.
const RecheckDelay = 20 * time.Millisecond

// WriteModel is a readmodel.Source in memory.
type WriteModel struct {
	// OnScan, if set, is called after the nth scan.
	OnScan func(n int)

	mu      sync.Mutex
	items   map[string]cqrsfeed.Item[Body]
	scanned []string
}

// NewWriteModel returns a write model with the newest of the states of each item.
func NewWriteModel(changes ...Change) *WriteModel {
	m := &WriteModel{items: make(map[string]cqrsfeed.Item[Body])}
	m.Put(changes...)
	return m
}

// Put stores the newest of the states of each item.
func (m *WriteModel) Put(changes ...Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range changes {
		if c.Item.Version > m.items[c.Item.ID].Version {
			m.items[c.Item.ID] = c.Item
		}
	}
}

// Remove removes an item without a tombstone.
func (m *WriteModel) Remove(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.items, id)
}

// Scan implements readmodel.Source.
func (m *WriteModel) Scan(_ context.Context, after string, limit int) ([]cqrsfeed.Item[Body], error) {
	m.mu.Lock()
	var items []cqrsfeed.Item[Body]
	var undecodable []error
	for _, id := range slices.Sorted(maps.Keys(m.items)) {
		if id <= after || len(items)+len(undecodable) == driver.PageLimit(limit) {
			continue
		}
		item := m.items[id]
		if len(item.Encoded) > 0 && !item.Deleted {
			if err := item.DecodeBody(); err != nil {
				undecodable = append(undecodable, err)
				continue
			}
		}
		items = append(items, item)
	}
	m.scanned = append(m.scanned, after)
	n, hook := len(m.scanned), m.OnScan
	m.mu.Unlock()
	if hook != nil {
		hook(n)
	}
	return items, errors.Join(undecodable...)
}

// RemoveTombstones implements readmodel.TombstoneSource.
func (m *WriteModel) RemoveTombstones(_ context.Context, before time.Time, ids ...string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	removed := int64(0)
	for _, id := range ids {
		if item, known := m.items[id]; known && item.Deleted && item.UpdatedAt.Before(before) {
			delete(m.items, id)
			removed++
		}
	}
	return removed, nil
}

// Items returns all items in any order.
func (m *WriteModel) Items() []cqrsfeed.Item[Body] {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.items))
}

// Feeds returns the feeds that a read model by TagsOf must show. emptied are feeds that may be empty.
func (m *WriteModel) Feeds(emptied ...string) Feeds { return m.FeedsBy(TagsOf, emptied...) }

// FeedsBy returns the feeds that a read model by another rule must show.
func (m *WriteModel) FeedsBy(feedsOf func(cqrsfeed.Item[Body]) []string, emptied ...string) Feeds {
	var changes []Change
	for _, item := range m.Items() {
		c, err := cqrsfeed.NewFeedChange(item, feedsOf)
		if err != nil {
			panic(err)
		}
		changes = append(changes, c)
	}
	want := Fold(changes)
	for _, feed := range emptied {
		if _, known := want[feed]; !known {
			want[feed] = nil
		}
	}
	return want
}

// Scans returns the ids after which scans began.
func (m *WriteModel) Scans() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.scanned)
}

// TagsOf is the FeedsOf of the suites' items, whose bodies name their feeds.
func TagsOf(item cqrsfeed.Item[Body]) []string { return item.Body.Tags }

// ChangeMeanwhile starts three workers. Each makes n changes, of items of ManyItems and of new ones, and applies each.
func (m *WriteModel) ChangeMeanwhile(n int, apply func(Change)) *sync.WaitGroup {
	const workers = 3
	existing := len(m.Items())
	var writers sync.WaitGroup
	for w := range workers {
		writers.Go(func() {
			for i := range n {
				item := (i*67 + w) % (existing * 11 / 10)
				c := State(fmt.Sprintf("post-%04d", item), int64(10+i*workers+w), item, "all", fmt.Sprintf("live-%d", i%4))
				if i%9 == 8 {
					c = Tombstone(c.Item.ID, c.Item.Version, item)
				}
				m.Put(c)
				apply(c)
			}
		})
	}
	return &writers
}
