package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// Restate implements readmodel.Repairer. It takes the versions back that keep Apply from writing, and leaves the
// rest to Apply. After a crash in between the next audit finds an old version.
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
		if item := state.Change.Item; state.Seen.Version >= item.Version {
			writes = append(writes, write{model: mongo.NewUpdateOneModel().
				SetFilter(at(item.ID, state.Seen.Version)).
				SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: fieldVersion, Value: item.Version - 1}}}})})
		}
	}
	if _, err := writeAll(ctx, s.items, writes); err != nil {
		return nil, fmt.Errorf("restate %d items: take versions back: %w", len(states), err)
	}
	return s.Apply(ctx, changes)
}

// Forget implements readmodel.Repairer. An item first leaves its feeds, as a deleted one does. Its document goes last, when the
// feeds are bumped: after a crash it is found again.
func (s *FeedStore[T]) Forget(ctx context.Context, seen []readmodel.StoredItem) ([]cqrsfeed.FeedUpdated, error) {
	updated, err := s.forget(ctx, seen)
	if err != nil {
		return nil, fmt.Errorf("forget %d items: %w", len(seen), err)
	}
	return updated, nil
}

func (s *FeedStore[T]) forget(ctx context.Context, seen []readmodel.StoredItem) ([]cqrsfeed.FeedUpdated, error) {
	ids := make([]string, 0, len(seen))
	versions := make(map[string]int64, len(seen))
	for _, item := range seen {
		ids = append(ids, item.ID)
		versions[item.ID] = item.Version
	}
	documents, err := s.itemsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(documents, func(a, b itemDocument) int { return strings.Compare(a.ID, b.ID) })
	var plans []*plan
	var leave, remove []write
	for _, document := range documents {
		if document.Version != versions[document.ID] {
			continue
		}
		document.Left, document.Feeds, document.Body = union(document.Left, document.Feeds), nil, ""
		unchanged := at(document.ID, document.Version)
		leave = append(leave, write{model: mongo.NewReplaceOneModel().SetFilter(unchanged).SetReplacement(document)})
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
	names = slices.DeleteFunc(names, func(feed string) bool { return heads[feed] == nil && counts[feed] == 0 })
	a := s.newApplication(nil, make(map[string]int64))
	a.heads = heads
	all, err := a.bumpWithCounts(ctx, names, counts)
	if err == nil && !all {
		err = errors.Join(a.bumpPending(ctx, names), a.readRevisions(ctx, names))
	}
	if err != nil {
		return nil, fmt.Errorf("recount %d feeds: %w", len(names), err)
	}
	return announcements(a.revisions), nil
}
