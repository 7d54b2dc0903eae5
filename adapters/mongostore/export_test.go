package mongostore

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// What the tests of this package see of its inside.

// Losers is losers.
func Losers(err error) ([]int, error) { return losers(err) }

// Key is the key of the entry of an item in a feed.
func Key(feed, id string, created time.Time) string { return newPlace(feed, created).key(id) }

// ItemOf is itemOf.
func ItemOf(feed, key string) (string, time.Time, error) { return itemOf(feed, key) }

// FeedOf is the feed of a place of that feed.
func FeedOf(feed string, created time.Time) string { return newPlace(feed, created).feed() }

// RangeOf is where the keys of a feed begin and end.
func RangeOf(feed string) (from, to string) {
	return escape(feed) + separator, escape(feed) + afterwards
}

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
	ID          string
	Version     int64
	Own, Others []string
	Body        string
}

// PlanItems is planItems.
func PlanItems[T any](batch []cqrsfeed.FeedChange[T]) ([]Plan, error) {
	plans, err := planItems(batch)
	seen := make([]Plan, 0, len(plans))
	for _, p := range plans {
		seen = append(seen, Plan{ID: p.id, Version: p.version, Own: names(p.own), Others: names(p.others), Body: p.body})
	}
	return seen, err
}

func names(places []place) []string {
	feeds := make([]string, 0, len(places))
	for _, at := range places {
		feeds = append(feeds, at.feed())
	}
	return feeds
}

// Budget is countBudget.
type Budget struct{ *countBudget }

// NewBudget is newCountBudget.
func NewBudget() Budget { return Budget{newCountBudget()} }

// Allows is allows.
func (b Budget) Allows(feed string, limit int, now time.Time) bool { return b.allows(feed, limit, now) }

// Spent is spent.
func (b Budget) Spent(counts map[string]int64, limit int, cost time.Duration, now time.Time) {
	b.spent(counts, limit, cost, now)
}

// Remembered is how many feeds it keeps.
func (b Budget) Remembered() int { return len(b.large) }

// AtOnce is atOnce.
func (b Budget) AtOnce(now time.Time) bool { return b.atOnce(now) }
