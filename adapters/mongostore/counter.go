package mongostore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// counter counts feeds by their ranges of keys.
type counter struct {
	entries *mongo.Collection
	budget  *countBudget
	limit   int // feeds with more entries are not counted; 0 for no limit
}

// Ranges are counted several to a command, because each command costs a round trip; not more, because
// planning many grows faster than their number on some servers. A few commands run beside each other.
const (
	rangesPerCount = 10
	countsAtOnce   = 4
)

// count returns the sizes of the feeds, without those over the limit.
func (c counter) count(ctx context.Context, names []string) (map[string]int64, error) {
	counts := make(map[string]int64, len(names))
	commands := slices.Collect(slices.Chunk(names, rangesPerCount))
	for group := range slices.Chunk(commands, countsAtOnce) {
		results := make([]map[string]int64, len(group))
		steps := make([]func(context.Context) error, len(group))
		for i, names := range group {
			steps[i] = func(ctx context.Context) (err error) {
				results[i], err = c.countRanges(ctx, names)
				return err
			}
		}
		if err := together(ctx, steps...); err != nil {
			return nil, err
		}
		for _, result := range results {
			maps.Copy(counts, result)
		}
	}
	return counts, nil
}

// countRanges counts the feeds by one command.
func (c counter) countRanges(ctx context.Context, names []string) (map[string]int64, error) {
	began := time.Now()
	cursor, err := c.entries.Aggregate(ctx, c.pipeline(names))
	if err != nil {
		return nil, fmt.Errorf("count %d feeds: %w", len(names), err)
	}
	var rows []struct {
		Feed int   `bson:"_id"`
		N    int64 `bson:"n"`
	}
	if err := cursor.All(ctx, &rows); err != nil {
		return nil, fmt.Errorf("count %d feeds: %w", len(names), err)
	}
	counts := make(map[string]int64, len(names))
	for _, feed := range names {
		counts[feed] = 0 // an empty range yields no row
	}
	for _, row := range rows {
		counts[names[row.Feed]] = row.N
	}
	c.budget.spent(counts, c.limit, time.Since(began), time.Now())
	maps.DeleteFunc(counts, func(_ string, n int64) bool { return c.limit > 0 && n > int64(c.limit) })
	return counts, nil
}

// pipeline counts each feed, known by its index, up to one more than the limit.
func (c counter) pipeline(names []string) mongo.Pipeline {
	var all mongo.Pipeline
	for i, feed := range names {
		one := mongo.Pipeline{{{Key: "$match", Value: keyRange(feed)}}}
		if c.limit > 0 {
			one = append(one, bson.D{{Key: "$limit", Value: c.limit + 1}})
		}
		one = append(one, bson.D{{Key: "$group", Value: bson.D{
			{Key: "_id", Value: bson.D{{Key: "$literal", Value: i}}},
			{Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
		}}})
		if i == 0 {
			all = one
			continue
		}
		all = append(all, bson.D{{Key: "$unionWith", Value: bson.D{
			{Key: "coll", Value: c.entries.Name()}, {Key: "pipeline", Value: one},
		}}})
	}
	return all
}
