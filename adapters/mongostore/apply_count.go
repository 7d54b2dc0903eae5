package mongostore

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// countBumped counts the feeds of this pass that are small enough, unless it has counted too much lately. It leaves
// the others to Recount: their counts are marked as pending.
func (a *application) countBumped(ctx context.Context) error {
	a.counts = nil // those of the pass before are older than this one's bump
	now := time.Now()
	if !a.budget.atOnce(now) {
		return nil
	}
	var names []string
	for _, feed := range a.bumped {
		if len(names) < a.config.CountedFeeds && a.budget.allows(feed, a.config.CountAtOnce, now) {
			names = append(names, feed)
		}
	}
	var err error
	atOnce := counter{entries: a.entries, budget: a.budget, limit: a.config.CountAtOnce}
	a.counts, err = atOnce.count(ctx, names)
	return err
}

// storeCounts stores what was counted where nobody bumped the feed since our bump. A change that our count
// can have missed is bumped later than we counted, so either that bump is here already and its worker (or
// Recount) counts, or it comes and marks the count as pending again.
func (a *application) storeCounts(ctx context.Context) error {
	var writes []write
	for _, feed := range slices.Sorted(maps.Keys(a.counts)) {
		writes = append(writes, write{model: mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: feed}, {Key: "by", Value: a.token}}).
			SetUpdate(countUpdate(a.counts[feed], "$changes"))})
	}
	if _, err := writeAll(ctx, a.feeds, writes); err != nil {
		return err
	}
	a.announce()
	return nil
}

// announce notes the revisions. Where a count changed, it made one more; should another worker's bump have
// come first, that made one.
func (a *application) announce() {
	for feed := range a.tell {
		head, known := a.heads[feed]
		if !known {
			continue // nothing was ever there
		}
		revision := head.Revision
		if count, counted := a.counts[feed]; counted && count != head.Count {
			revision++
		}
		a.revisions[feed] = max(a.revisions[feed], revision)
	}
}

// countUpdate sets a count as of a number of changes. A count that differs is a change of the feed, with a
// revision of its own, because readers may have seen the one before with the old count.
func countUpdate(count int64, counted any) mongo.Pipeline {
	return mongo.Pipeline{{{Key: "$set", Value: bson.D{
		{Key: "count", Value: count},
		{Key: "counted", Value: counted},
		{Key: "rev", Value: bson.D{{Key: "$add", Value: bson.A{"$rev", bson.D{{Key: "$cond", Value: bson.A{
			bson.D{{Key: "$ne", Value: bson.A{"$count", count}}}, int64(1), int64(0),
		}}}}}}},
		{Key: "pending", Value: bson.D{{Key: "$cond", Value: bson.A{
			bson.D{{Key: "$eq", Value: bson.A{"$changes", counted}}}, "$$REMOVE", true,
		}}}},
	}}}}
}
