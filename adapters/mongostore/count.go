package mongostore

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// countsAtOnce is how many feeds are counted beside each other.
const countsAtOnce = 8

// count counts the items of feeds by the index.
func (c collections) count(ctx context.Context, feeds []string) (map[string]int64, error) {
	counts := make(map[string]int64, len(feeds))
	for names := range slices.Chunk(feeds, countsAtOnce) {
		sizes := make([]int64, len(names))
		steps := make([]func(context.Context) error, len(names))
		for i, feed := range names {
			steps[i] = func(ctx context.Context) (err error) {
				sizes[i], err = c.items.CountDocuments(ctx, bson.D{{Key: fieldFeeds, Value: feed}}, options.Count().SetHint(feedIndex))
				return err
			}
		}
		if err := together(ctx, steps...); err != nil {
			return nil, fmt.Errorf("count %d feeds: %w", len(names), missingIndex(err))
		}
		for i, feed := range names {
			counts[feed] = sizes[i]
		}
	}
	return counts, nil
}
