package mongostore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Each command counts several feeds, because it costs a round trip. The number is small, because some servers take
// longer to plan many at once than one after the other. A few commands run concurrently.
const (
	feedsPerCount = 10
	countsAtOnce  = 4
)

// count counts the items of feeds by the index.
func (c collections) count(ctx context.Context, feeds []string) (map[string]int64, error) {
	counts := make(map[string]int64, len(feeds))
	commands := slices.Collect(slices.Chunk(feeds, feedsPerCount))
	for group := range slices.Chunk(commands, countsAtOnce) {
		results := make([]map[string]int64, len(group))
		steps := make([]func(context.Context) error, len(group))
		for i, names := range group {
			steps[i] = func(ctx context.Context) (err error) {
				results[i], err = c.countTogether(ctx, names)
				return err
			}
		}
		if err := together(ctx, steps...); err != nil {
			return nil, fmt.Errorf("count %d feeds: %w", len(feeds), err)
		}
		for _, result := range results {
			maps.Copy(counts, result)
		}
	}
	return counts, nil
}

// countTogether counts feeds by one command.
func (c collections) countTogether(ctx context.Context, feeds []string) (map[string]int64, error) {
	cursor, err := c.items.Aggregate(ctx, c.countsOf(feeds))
	if err != nil {
		return nil, err
	}
	var rows []struct {
		Feed  int   `bson:"_id"`
		Count int64 `bson:"n"`
	}
	if err := cursor.All(ctx, &rows); err != nil {
		return nil, err
	}
	counts := make(map[string]int64, len(feeds))
	for _, feed := range feeds {
		counts[feed] = 0 // an empty feed yields no row
	}
	for _, row := range rows {
		counts[feeds[row.Feed]] = row.Count
	}
	return counts, nil
}

// countsOf counts each feed, known by its index in feeds.
func (c collections) countsOf(feeds []string) mongo.Pipeline {
	var all mongo.Pipeline
	for i, feed := range feeds {
		one := mongo.Pipeline{
			{{Key: "$match", Value: bson.D{{Key: fieldFeeds, Value: feed}}}},
			{{Key: "$group", Value: bson.D{
				{Key: fieldID, Value: bson.D{{Key: "$literal", Value: i}}},
				{Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
			}}},
		}
		if i == 0 {
			all = one
			continue
		}
		all = append(all, bson.D{{Key: "$unionWith", Value: bson.D{
			{Key: "coll", Value: c.items.Name()}, {Key: "pipeline", Value: one},
		}}})
	}
	return all
}
