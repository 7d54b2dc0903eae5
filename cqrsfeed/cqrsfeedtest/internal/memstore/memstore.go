// Package memstore has a feed store in memory, and faults of it that the suites and the crash kit must find.
package memstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// Fault is a mistake of a store.
type Fault string

// The faults.
const (
	NoGuard              Fault = "an older version replaces a newer one"
	NoRemoval            Fault = "an item stays in the feeds it left"
	NoCounting           Fault = "counts are not kept"
	DoubleCounting       Fault = "an update counts as one more"
	NoSecondAnnouncement Fault = "a repeated batch is not announced again"
	Milliseconds         Fault = "times lose their microseconds"
	UnorderedTies        Fault = "items of one time have no order"
	HalfBatch            Fault = "a refused batch is written up to the bad change"
	OffsetCursor         Fault = "a cursor counts from the newest item"
	EmptyListed          Fault = "feeds without items are listed"
	ConstantRevision     Fault = "a revision stays as it is"
	LargePages           Fault = "pages have any number of bytes"
	Withholding          Fault = "a withheld version is shown"
	WithheldForGood      Fault = "a withheld version stays so when it is accepted"
	EncodedAgain         Fault = "bodies are encoded again"
	NoRules              Fault = "the rule of a state is ignored"
)

// Store implements cqrsfeed.FeedStore. One lock guards everything.
type Store struct {
	fault Fault

	mu    sync.Mutex
	items map[string]storedItem
	feeds map[string]*storedFeed
}

type storedItem struct {
	change cqrsfeed.FeedChange[model.Body]
	ever   map[string]bool
}

type storedFeed struct {
	revision, count int64
	entries         map[string]cqrsfeed.Item[model.Body]
}

// New returns an empty store with a fault, or "" for none.
func New(f Fault) *Store {
	return &Store{fault: f, items: make(map[string]storedItem), feeds: make(map[string]*storedFeed)}
}

// Apply implements cqrsfeed.FeedStore.
func (s *Store) Apply(
	_ context.Context, batch []cqrsfeed.FeedChange[model.Body],
) ([]cqrsfeed.FeedUpdated, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == Withholding {
		batch = slices.Clone(batch)
		for i := range batch {
			batch[i].Withheld = false
		}
	}
	for i, change := range batch {
		err := change.Validate()
		if err == nil && !change.Hidden() {
			_, err = change.Item.EncodedBody()
		}
		if err != nil {
			if s.fault == HalfBatch {
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

func (s *Store) applyOne(change cqrsfeed.FeedChange[model.Body]) map[string]bool {
	known, exists := s.items[change.Item.ID]
	if !exists {
		known.ever = make(map[string]bool)
	}
	if change.Hidden() {
		change.Feeds = nil
	}
	for _, feed := range change.Feeds {
		known.ever[feed] = true
		s.feed(feed)
	}
	if exists && s.fault != NoGuard && !s.newer(change, known.change) {
		if s.fault == NoSecondAnnouncement {
			return nil
		}
		return known.ever
	}
	for _, feed := range known.change.Feeds {
		if s.fault != NoRemoval {
			delete(s.feeds[feed].entries, change.Item.ID)
		}
	}
	known.change = change
	s.items[change.Item.ID] = known
	if !change.Hidden() {
		for _, feed := range change.Feeds {
			s.feed(feed).entries[change.Item.ID] = s.kept(change.Item)
		}
	}
	for feed := range known.ever {
		s.bump(s.feed(feed))
	}
	return known.ever
}

// newer reports whether a state is newer than the one that is known.
func (s *Store) newer(change, known model.Change) bool {
	switch s.fault {
	case WithheldForGood, NoRules:
		return change.Item.Version > known.Item.Version
	default:
		return known.State().Before(change.State())
	}
}

func (s *Store) bump(feed *storedFeed) {
	if s.fault != ConstantRevision || feed.revision == 0 {
		feed.revision++
	}
	switch s.fault {
	case NoCounting:
	case DoubleCounting:
		feed.count++
	default:
		feed.count = int64(len(feed.entries))
	}
}

func (s *Store) kept(item cqrsfeed.Item[model.Body]) cqrsfeed.Item[model.Body] {
	precision := time.Microsecond
	if s.fault == Milliseconds {
		precision = time.Millisecond
	}
	item.CreatedAt, item.UpdatedAt = item.CreatedAt.UTC().Truncate(precision), item.UpdatedAt.UTC().Truncate(precision)
	if s.fault == EncodedAgain {
		item.Encoded = nil
	}
	encoded, err := item.EncodedBody()
	if err != nil {
		panic(err)
	}
	item.Encoded = encoded
	return item
}

func (s *Store) feed(name string) *storedFeed {
	if s.feeds[name] == nil {
		s.feeds[name] = &storedFeed{entries: make(map[string]cqrsfeed.Item[model.Body])}
	}
	return s.feeds[name]
}

// Feeds implements cqrsfeed.FeedStore.
func (s *Store) Feeds(_ context.Context, after string, limit int) ([]cqrsfeed.Feed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var feeds []cqrsfeed.Feed
	for _, name := range slices.Sorted(maps.Keys(s.feeds)) {
		feed := s.feeds[name]
		if name > after && (feed.count > 0 || s.fault == EmptyListed) && len(feeds) < driver.PageLimit(limit) {
			feeds = append(feeds, cqrsfeed.Feed{Name: name, Count: feed.count, Revision: feed.revision})
		}
	}
	return feeds, nil
}

// Page implements cqrsfeed.FeedStore.
func (s *Store) Page(
	_ context.Context, name, cursor string, limit int,
) (cqrsfeed.FeedPage[model.Body], error) {
	page := driver.NewPage[model.Body](cqrsfeed.Feed{Name: name}, driver.PageLimit(limit))
	if err := cqrsfeed.ValidateFeed(name); err != nil {
		return page.FeedPage, err
	}
	after, err := driver.Position{}, error(nil)
	if cursor != "" {
		if after, err = driver.DecodeCursor(cursor); err != nil {
			return page.FeedPage, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	feed, known := s.feeds[name]
	if !known {
		return page.FeedPage, nil
	}
	page.Feed.Count, page.Feed.Revision = feed.count, feed.revision
	compare := func(a, b cqrsfeed.Item[model.Body]) int {
		if s.fault == UnorderedTies {
			return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(a.ID, b.ID))
		}
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(b.ID, a.ID))
	}
	items := slices.SortedFunc(maps.Values(feed.entries), compare)
	switch {
	case cursor == "":
	case s.fault == OffsetCursor:
		items = items[min(limit, len(items)):]
	default:
		at := cqrsfeed.Item[model.Body]{ID: after.ID, CreatedAt: after.CreatedAt}
		items = slices.DeleteFunc(items, func(i cqrsfeed.Item[model.Body]) bool { return compare(i, at) <= 0 })
	}
	for _, item := range items {
		if s.fault == LargePages {
			if err := item.DecodeBody(); err != nil {
				return page.FeedPage, err
			}
			page.Items = append(page.Items, item)
			continue
		}
		if !page.Add(item) {
			break
		}
	}
	return page.FeedPage, nil
}

// ItemVersion implements cqrsfeed.FeedStore.
func (s *Store) ItemVersion(_ context.Context, id string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items[id].change.Item.Version, nil
}

// Recount implements cqrsfeed.FeedStore.
func (s *Store) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) { return nil, nil }
