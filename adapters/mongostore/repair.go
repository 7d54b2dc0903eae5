package mongostore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// Restate implements readmodel.Repairer. It lowers the versions that would keep Apply from writing, and then calls
// Apply. After a crash in between, the next audit finds an old version.
func (s *FeedStore[T]) Restate(ctx context.Context, states []readmodel.Restatement[T]) ([]cqrsfeed.FeedUpdated, error) {
	changes := make([]cqrsfeed.FeedChange[T], 0, len(states))
	for _, state := range states {
		changes = append(changes, state.Change)
	}
	if _, err := planItems(changes); err != nil {
		return nil, fmt.Errorf("restate: %w", err)
	}
	var writes []write
	for _, state := range slices.SortedFunc(slices.Values(states), func(a, b readmodel.Restatement[T]) int {
		return strings.Compare(a.Change.Item.ID, b.Change.Item.ID)
	}) {
		item, seen := state.Change.Item, state.Seen
		if !seen.State().Before(state.Change.State()) {
			writes = append(writes, write{model: mongo.NewUpdateOneModel().
				SetFilter(at(item.ID, seen.State())).
				SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: fieldVersion, Value: item.Version - 1}}}})})
		}
	}
	if _, err := writeAll(ctx, s.items, writes); err != nil {
		return nil, fmt.Errorf("restate %d items: lower versions: %w", len(states), err)
	}
	return s.Apply(ctx, changes)
}

// Forget implements readmodel.Repairer. First an item leaves its feeds, as a deleted one does. Its document is removed
// last, after the feeds are bumped, so that an audit finds it again after a crash.
func (s *FeedStore[T]) Forget(ctx context.Context, seen []readmodel.StoredItem) (updated []cqrsfeed.FeedUpdated, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("forget %d items: %w", len(seen), err)
		}
	}()
	ids := make([]string, 0, len(seen))
	known := make(map[string]readmodel.StoredItem, len(seen))
	for _, item := range seen {
		ids = append(ids, item.ID)
		known[item.ID] = item
	}
	documents, err := s.itemsByID(ctx, ids, options.Find().SetProjection(withoutBody()))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(documents, func(a, b itemDocument) int { return strings.Compare(a.ID, b.ID) })
	var plans []*plan
	var leave, remove []write
	for _, document := range documents {
		if document.state() != known[document.ID].State() {
			continue
		}
		document.Left, document.Feeds = union(document.Left, document.Feeds), nil
		unchanged := at(document.ID, document.state())
		leave = append(leave, write{
			model: mongo.NewReplaceOneModel().SetFilter(unchanged).SetReplacement(document), size: document.size(),
		})
		remove = append(remove, write{model: mongo.NewDeleteOneModel().SetFilter(unchanged)})
		plans = append(plans, &plan{next: document, stored: document, exists: true})
	}
	if _, err := writeAll(ctx, s.items, leave); err != nil {
		return nil, err
	}
	revisions := make(map[string]int64)
	a := s.newApplication(plans, revisions)
	if err := a.readHeads(ctx, a.unreadFeeds(plans)); err != nil {
		return nil, err
	}
	if err := a.announce(ctx); err != nil {
		return nil, err
	}
	_, err = writeAll(ctx, s.items, remove)
	return announcements(revisions), err
}

// ForgetFeeds implements readmodel.Repairer. It reads the heads of all feeds. If a feed gets an item meanwhile, the
// bump creates its head again.
func (s *FeedStore[T]) ForgetFeeds(ctx context.Context, before time.Time) (int64, error) {
	result, err := s.feeds.DeleteMany(ctx, bson.D{
		{Key: fieldCount, Value: int64(0)},
		{Key: fieldPending, Value: bson.D{{Key: "$exists", Value: false}}},
		{Key: fieldChanged, Value: bson.D{{Key: "$lt", Value: before.UnixMicro()}}},
	})
	if err != nil {
		return 0, fmt.Errorf("forget empty feeds: %w", err)
	}
	return result.DeletedCount, nil
}

// RecountFeeds implements readmodel.Repairer. It leaves a feed that changes meanwhile to Recount.
func (s *FeedStore[T]) RecountFeeds(ctx context.Context, feeds []string) ([]cqrsfeed.FeedUpdated, error) {
	names := union(feeds)
	heads, err := s.headsOf(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("recount %d feeds: %w", len(names), err)
	}
	counts, err := s.count(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("recount %d feeds: %w", len(names), err)
	}
	// A feed that nothing was ever in gets no head.
	maps.DeleteFunc(counts, func(feed string, count int64) bool { return heads[feed] == nil && count == 0 })
	a := s.newApplication(nil, make(map[string]int64))
	a.heads = heads
	all, err := a.bumpWithCounts(ctx, counts)
	if err == nil && !all {
		names = slices.Sorted(maps.Keys(counts))
		err = errors.Join(a.bumpPending(ctx, names), a.readRevisions(ctx, names))
	}
	if err != nil {
		return nil, fmt.Errorf("recount %d feeds: %w", len(names), err)
	}
	return announcements(a.revisions), nil
}
