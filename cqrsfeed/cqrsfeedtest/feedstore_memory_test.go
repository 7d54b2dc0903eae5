package cqrsfeedtest_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// fault is something that a store could get wrong.
type fault string

const (
	noGuard         fault = "an older version replaces a newer one"
	noRemoval       fault = "an item stays in the feeds it left"
	noCounting      fault = "counts are not kept"
	doubleCounting  fault = "an update counts as one more"
	noSecondTelling fault = "a repeated batch is announced no more"
	millisecondsFor fault = "times lose their microseconds"
	tiesByTimeOnly  fault = "items of one time have no order"
	halfBatch       fault = "a refused batch is written up to the bad change"
	offsetCursor    fault = "a cursor counts from the newest item"
	emptyListed     fault = "feeds without items are listed"
	constantRev     fault = "a revision stays as it is"
)

// faults are all of them, each with the behaviours that have to notice.
func faults() map[fault][]string {
	return map[fault][]string{
		noGuard:         {"order", "random", "apply", "concurrency"},
		noRemoval:       {"tags", "apply", "order", "random"},
		noCounting:      {"counts", "apply"},
		doubleCounting:  {"counts", "apply"},
		noSecondTelling: {"idempotence"},
		millisecondsFor: {"values"},
		tiesByTimeOnly:  {"paging"},
		halfBatch:       {"invalid"},
		offsetCursor:    {"paging"},
		emptyListed:     {"counts", "tags"},
		constantRev:     {"idempotence"},
	}
}

// memoryStore is the contract in its simplest form: it folds everything under one lock.
type memoryStore struct {
	fault fault

	mu    sync.Mutex
	items map[string]memoryItem
	feeds map[string]*memoryFeed
}

type memoryItem struct {
	change cqrsfeed.FeedChange[cqrsfeedtest.Body]
	ever   map[string]bool
}

type memoryFeed struct {
	revision, count int64
	entries         map[string]cqrsfeed.Item[cqrsfeedtest.Body]
}

func newMemoryStore(f fault) *memoryStore {
	return &memoryStore{fault: f, items: make(map[string]memoryItem), feeds: make(map[string]*memoryFeed)}
}

func (s *memoryStore) Apply(
	_ context.Context, batch []cqrsfeed.FeedChange[cqrsfeedtest.Body],
) ([]cqrsfeed.FeedUpdated, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, change := range batch {
		err := change.Validate()
		if _, encoding := json.Marshal(change.Item.Body); encoding != nil {
			err = fmt.Errorf("%w: %w", cqrsfeed.ErrInvalid, encoding)
		}
		if err != nil {
			if s.fault == halfBatch {
				for _, valid := range batch[:i] {
					s.applyOne(valid)
				}
			}
			return nil, err
		}
	}
	touched := make(map[string]bool)
	for _, change := range batch {
		maps.Copy(touched, s.applyOne(change))
	}
	var updated []cqrsfeed.FeedUpdated
	for feed := range touched {
		updated = append(updated, cqrsfeed.FeedUpdated{Feed: feed, Revision: s.feed(feed).revision})
	}
	return updated, nil
}

func (s *memoryStore) applyOne(change cqrsfeed.FeedChange[cqrsfeedtest.Body]) map[string]bool {
	known, exists := s.items[change.Item.ID]
	if !exists {
		known.ever = make(map[string]bool)
	}
	for _, feed := range change.Feeds {
		known.ever[feed] = true
		s.feed(feed)
	}
	if exists && s.fault != noGuard && change.Item.Version <= known.change.Item.Version {
		if s.fault == noSecondTelling {
			return nil
		}
		return known.ever
	}
	for _, feed := range known.change.Feeds {
		if s.fault != noRemoval {
			delete(s.feeds[feed].entries, change.Item.ID)
		}
	}
	known.change = change
	s.items[change.Item.ID] = known
	if !change.Item.Deleted {
		for _, feed := range change.Feeds {
			s.feed(feed).entries[change.Item.ID] = s.kept(change.Item)
		}
	}
	for feed := range known.ever {
		s.bump(s.feed(feed))
	}
	return known.ever
}

func (s *memoryStore) bump(feed *memoryFeed) {
	if s.fault != constantRev || feed.revision == 0 {
		feed.revision++
	}
	switch s.fault {
	case noCounting:
	case doubleCounting:
		feed.count++
	default:
		feed.count = int64(len(feed.entries))
	}
}

func (s *memoryStore) kept(item cqrsfeed.Item[cqrsfeedtest.Body]) cqrsfeed.Item[cqrsfeedtest.Body] {
	precision := time.Microsecond
	if s.fault == millisecondsFor {
		precision = time.Millisecond
	}
	item.CreatedAt, item.UpdatedAt = item.CreatedAt.UTC().Truncate(precision), item.UpdatedAt.UTC().Truncate(precision)
	body, err := json.Marshal(item.Body)
	if err != nil {
		panic(err)
	}
	item.Body = cqrsfeedtest.Body{}
	if err := json.Unmarshal(body, &item.Body); err != nil {
		panic(err)
	}
	return item
}

func (s *memoryStore) feed(name string) *memoryFeed {
	if s.feeds[name] == nil {
		s.feeds[name] = &memoryFeed{entries: make(map[string]cqrsfeed.Item[cqrsfeedtest.Body])}
	}
	return s.feeds[name]
}

func (s *memoryStore) Feeds(_ context.Context, after string, limit int) ([]cqrsfeed.Feed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var feeds []cqrsfeed.Feed
	for _, name := range slices.Sorted(maps.Keys(s.feeds)) {
		feed := s.feeds[name]
		if name > after && (feed.count > 0 || s.fault == emptyListed) && len(feeds) < driver.PageLimit(limit) {
			feeds = append(feeds, cqrsfeed.Feed{Name: name, Count: feed.count, Revision: feed.revision})
		}
	}
	return feeds, nil
}

func (s *memoryStore) Page(
	_ context.Context, name, cursor string, limit int,
) (cqrsfeed.FeedPage[cqrsfeedtest.Body], error) {
	page := cqrsfeed.FeedPage[cqrsfeedtest.Body]{Feed: cqrsfeed.Feed{Name: name}, Items: []cqrsfeed.Item[cqrsfeedtest.Body]{}}
	if err := cqrsfeed.ValidateFeed(name); err != nil {
		return page, err
	}
	after, err := driver.Position{}, error(nil)
	if cursor != "" {
		if after, err = driver.DecodeCursor(cursor); err != nil {
			return page, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	feed, known := s.feeds[name]
	if !known {
		return page, nil
	}
	page.Feed.Count, page.Feed.Revision = feed.count, feed.revision
	compare := func(a, b cqrsfeed.Item[cqrsfeedtest.Body]) int {
		if s.fault == tiesByTimeOnly {
			return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(a.ID, b.ID))
		}
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(b.ID, a.ID))
	}
	items := slices.SortedFunc(maps.Values(feed.entries), compare)
	switch {
	case cursor == "":
	case s.fault == offsetCursor:
		items = items[min(limit, len(items)):]
	default:
		at := cqrsfeed.Item[cqrsfeedtest.Body]{ID: after.ID, CreatedAt: after.CreatedAt}
		items = slices.DeleteFunc(items, func(i cqrsfeed.Item[cqrsfeedtest.Body]) bool { return compare(i, at) <= 0 })
	}
	if limit = driver.PageLimit(limit); len(items) > limit {
		items = items[:limit]
		page.Next = driver.EncodeCursor(driver.Position{CreatedAt: items[limit-1].CreatedAt, ID: items[limit-1].ID})
	}
	page.Items = items
	return page, nil
}

func (s *memoryStore) ItemVersion(_ context.Context, id string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items[id].change.Item.Version, nil
}

func (s *memoryStore) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) { return nil, nil }
