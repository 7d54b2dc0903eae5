package mongostore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// versionOnly reads nothing of a document but its key and its version.
func versionOnly() *options.FindOptionsBuilder {
	return options.Find().SetBatchSize(inOneBatch).SetProjection(bson.D{{Key: "v", Value: 1}})
}

// countAnew bumps feeds after their entries were changed, as Apply does, and counts them. Should it be cut
// off behind the bump, their counts are pending and Recount takes them.
func (s *FeedStore[T]) countAnew(ctx context.Context, feeds map[string]bool) ([]cqrsfeed.FeedUpdated, error) {
	names := slices.Sorted(maps.Keys(feeds))
	if len(names) == 0 {
		return nil, nil
	}
	a := &application{collections: s.collections, known: s.known, bumped: names}
	if err := a.bump(ctx); err != nil {
		return nil, fmt.Errorf("bump %d feeds: %w", len(names), err)
	}
	heads, err := s.headsOf(ctx, names)
	if err != nil {
		return nil, err
	}
	revisions := make(map[string]int64, len(names))
	for group := range slices.Chunk(slices.Collect(maps.Values(heads)), recountGroup) {
		if err := s.recount(ctx, group, revisions); err != nil {
			return nil, fmt.Errorf("recount %d of %d feeds: %w", len(group), len(names), err)
		}
	}
	return announcements(revisions), nil
}
