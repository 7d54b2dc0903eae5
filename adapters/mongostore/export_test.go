package mongostore

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// What the tests of this package see of its inside.

// Losers is losers.
func Losers(err error) ([]int, error) { return losers(err) }

// NewPosition is newPosition.
func NewPosition(created time.Time, id string) string { return newPosition(created, id) }

// Created reads the time of creation out of a position.
func Created(position string) (time.Time, error) { return itemDocument{Position: position}.created() }

// CheckCollation is checkCollation.
func CheckCollation(options bson.Raw) error { return checkCollation("items", options) }

// Newest is newest.
const Newest = newest

// StagesOf is stagesOf, and IsSort is isSort.
func StagesOf(plan any) []string { return stagesOf(plan) }

// IsSort is isSort.
func IsSort(stage string) bool { return isSort(stage) }

// BulkSizes are the numbers of writes in each bulk that payloads of these sizes are cut into.
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

// Limits of a bulk.
const (
	MaxBulkWrites = maxBulkWrites
	MaxBulkBytes  = maxBulkBytes
)

// Plan is what planItems makes of one item.
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

// SettledPast is what an item in feeds remembers that was in past and left.
func SettledPast(feeds, left, past []string) []string {
	return itemDocument{Feeds: feeds, Left: left, Past: past}.settledPast()
}
