package mongostore

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Exports for the tests of this package.

// Losers is losers.
func Losers(err error) ([]int, error) { return losers(err) }

// Together is together.
func Together(ctx context.Context, steps ...func(context.Context) error) error {
	return together(ctx, steps...)
}

// NewPosition is newPosition.
func NewPosition(created time.Time, id string) string { return newPosition(created, id) }

// Created returns the time of creation in a position.
func Created(position string) (time.Time, error) { return itemDocument{Position: position}.created() }

// CheckCollection is checkCollection.
func CheckCollection(kind string, options bson.Raw) error {
	return checkCollection("post_items", kind, options)
}

// CheckFeedIndexes is checkIndexes for the indexes of the heads of feeds.
func CheckFeedIndexes(indexes []bson.Raw) error {
	found := make([]index, len(indexes))
	for i, raw := range indexes {
		if err := bson.Unmarshal(raw, &found[i]); err != nil {
			return err
		}
	}
	return checkIndexes("post_feeds", found, feedIndexes())
}

// CheckHello is the check of a response by checkServer.
func CheckHello(response bson.Raw) error {
	var server hello
	if err := bson.Unmarshal(response, &server); err != nil {
		return err
	}
	return server.check()
}

// Newest is newest.
const Newest = newest

// StagesOf is stagesOf, and IsSort is isSort.
func StagesOf(plan any) []string { return stagesOf(plan) }

// IsSort is isSort.
func IsSort(stage string) bool { return isSort(stage) }

// BulkSizes returns the numbers of writes of the bulks into which payloads of these sizes are split.
func BulkSizes(payloads []int) []int {
	writes := make([]write, 0, len(payloads))
	for _, size := range payloads {
		writes = append(writes, write{model: mongo.NewUpdateOneModel(), size: size})
	}
	var sizes []int
	for start := 0; start < len(writes); {
		end := bulkEnd(writes, start)
		sizes = append(sizes, end-start)
		start = end
	}
	return sizes
}

// Limits of a command.
const (
	MaxBulkWrites = maxBulkWrites
	MaxBulkBytes  = maxBulkBytes
	NamesAtOnce   = namesAtOnce
)

// Plan is the plan of one item by planItems.
type Plan struct {
	ID           string
	Version      int64
	Feeds, Older []string
	Body         string
	First        bool
}

// PlanItems is planItems.
func PlanItems[T any](batch []cqrsfeed.FeedChange[T]) ([]Plan, error) {
	plans, err := planItems(batch)
	seen := make([]Plan, 0, len(plans))
	for _, p := range plans {
		seen = append(seen, Plan{
			ID: p.next.ID, Version: p.next.Version, Feeds: p.next.Feeds, Older: union(p.older), Body: p.next.Body, First: p.first,
		})
	}
	return seen, err
}

// SettledPast is settledPast of an item with these feeds, past and left.
func SettledPast(feeds, left, past []string) []string {
	return itemDocument{Feeds: feeds, Left: left, Past: past}.settledPast()
}
