package cqrsfeedtest

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// writeModel is a readmodel.Source in memory.
type writeModel struct {
	mu    sync.Mutex
	items map[string]cqrsfeed.Item[Body]
	// scanned are the ids after which scans began. onScan is called after each scan.
	scanned []string
	onScan  func(n int)
}

func newWriteModel(changes ...change) *writeModel {
	m := &writeModel{items: make(map[string]cqrsfeed.Item[Body])}
	m.put(changes...)
	return m
}

// put stores the newest of the states of each item.
func (m *writeModel) put(changes ...change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range changes {
		if c.Item.Version > m.items[c.Item.ID].Version {
			m.items[c.Item.ID] = c.Item
		}
	}
}

func (m *writeModel) remove(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.items, id)
}

// Scan implements readmodel.Source.
func (m *writeModel) Scan(_ context.Context, after string, limit int) ([]cqrsfeed.Item[Body], error) {
	m.mu.Lock()
	var items []cqrsfeed.Item[Body]
	for _, id := range slices.Sorted(maps.Keys(m.items)) {
		if id > after && len(items) < driver.PageLimit(limit) {
			items = append(items, m.items[id])
		}
	}
	m.scanned = append(m.scanned, after)
	n, hook := len(m.scanned), m.onScan
	m.mu.Unlock()
	if hook != nil {
		hook(n)
	}
	return items, nil
}

// model returns what a read model of it must show. feeds are those that may be empty.
func (m *writeModel) model(feeds ...string) feedmodel.Feeds {
	m.mu.Lock()
	defer m.mu.Unlock()
	var changes []change
	for _, item := range m.items {
		c := change{Item: item}
		if !item.Deleted {
			c.Feeds = tagsOf(item)
		}
		changes = append(changes, c)
	}
	want := feedmodel.Fold(changes)
	for _, feed := range feeds {
		if _, known := want[feed]; !known {
			want[feed] = nil
		}
	}
	return want
}

func (m *writeModel) scans() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.scanned)
}

// tagsOf is the FeedsOf of the suites' items, whose bodies name their feeds.
func tagsOf(item cqrsfeed.Item[Body]) []string { return item.Body.Tags }

// announcements is a publisher that records the feeds of FeedUpdated events.
type announcements struct {
	mu    sync.Mutex
	feeds map[string]bool
}

// Publish implements message.Publisher.
func (a *announcements) Publish(_ string, messages ...*message.Message) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.feeds == nil {
		a.feeds = make(map[string]bool)
	}
	for _, msg := range messages {
		var event cqrsfeed.FeedUpdated
		err := json.Unmarshal(msg.Payload, &event)
		if err != nil {
			return err
		}
		a.feeds[event.Feed] = true
	}
	return nil
}

// Close implements message.Publisher.
func (a *announcements) Close() error { return nil }

func (a *announcements) names() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.feeds))
}

// tapped is a store with hooks for a test.
type tapped struct {
	readmodel.Store[Body]

	beforeForget     func(seen []readmodel.StoredItem)
	afterStoredItems func()
}

// Forget implements readmodel.Repairer.
func (s *tapped) Forget(ctx context.Context, seen []readmodel.StoredItem) ([]cqrsfeed.FeedUpdated, error) {
	if s.beforeForget != nil {
		s.beforeForget(seen)
	}
	return s.Store.Forget(ctx, seen)
}

// StoredItems implements readmodel.Inspector.
func (s *tapped) StoredItems(ctx context.Context, ids []string) ([]readmodel.StoredItem, error) {
	items, err := s.Store.StoredItems(ctx, ids)
	if s.afterStoredItems != nil {
		s.afterStoredItems()
	}
	return items, err
}
