package mongostore

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// maxPast bounds the record of places that an item was in before.
const maxPast = 1000

// maxRounds bounds how often a write is tried again after it lost to another that came into being in the
// same moment. Twice is already rare: the document is there by then.
const maxRounds = 10

// claim makes the candidate the version of each item unless a newer one is, and puts on record every place
// where something of the item may be before anything is written there. A crash after it loses nothing: the
// record says what to clear away, and the version is not done.
//
// A version that the claim inserted is known without reading; the others are read back.
func (a *application) claim(ctx context.Context) error {
	remaining := a.plans
	for round := 0; len(remaining) > 0; round++ {
		if round == maxRounds {
			return fmt.Errorf("item %q and %d more keep changing under the claim", remaining[0].id, len(remaining)-1)
		}
		unknown, err := a.claimOnce(ctx, remaining)
		if err != nil {
			return err
		}
		if err := a.readBack(ctx, unknown); err != nil {
			return err
		}
		// An upsert loses against an insert of the same moment even when that was of an older version; now
		// that the document exists, the guard decides.
		remaining = nil
		for _, p := range unknown {
			if p.state.Version < p.version {
				remaining = append(remaining, p)
			}
		}
	}
	return nil
}

// claimOnce tries to claim and returns the items whose state has to be read.
func (a *application) claimOnce(ctx context.Context, plans []*plan) ([]*plan, error) {
	now := time.Now()
	writes := make([]write, 0, len(plans))
	for _, p := range plans {
		writes = append(writes, write{model: upsert(olderThan(p.id, p.version), claimOf(p, now))})
	}
	result, err := writeAll(ctx, a.items, writes)
	if err != nil {
		return nil, err
	}
	for _, p := range plans {
		p.won = true
	}
	for _, i := range result.lost {
		plans[i].won = false
	}
	var unknown []*plan
	for i, p := range plans {
		if !result.upserted[i] {
			unknown = append(unknown, p)
			continue
		}
		p.state = itemDocument{ID: p.id, Version: p.version, Feeds: p.own, Touched: union(p.own, p.others)}
	}
	return unknown, nil
}

// claimOf is the update of a claim. All its expressions see the document as it was: a version that was
// done left nothing behind but in its own feeds, so the record starts from them; of one that was not done
// the record is kept.
func claimOf(p *plan, now time.Time) mongo.Pipeline {
	list := func(field string) bson.D {
		return bson.D{{Key: "$ifNull", Value: bson.A{field, bson.A{}}}}
	}
	literal := func(places []place) bson.D { // a feed's name may begin with "$"
		return bson.D{{Key: "$literal", Value: places}}
	}
	touched := bson.D{{Key: "$setUnion", Value: bson.A{
		bson.D{{Key: "$cond", Value: bson.A{
			bson.D{{Key: "$eq", Value: bson.A{"$done", "$v"}}}, list("$feeds"), list("$touched"),
		}}},
		literal(union(p.own, p.others)),
	}}}
	past := bson.D{{Key: "$let", Value: bson.D{
		{Key: "vars", Value: bson.D{
			{Key: "all", Value: bson.D{{Key: "$setUnion", Value: bson.A{list("$past"), list("$touched")}}}},
		}},
		{Key: "in", Value: bson.D{{Key: "$cond", Value: bson.A{
			bson.D{{Key: "$lte", Value: bson.A{bson.D{{Key: "$size", Value: "$$all"}}, maxPast}}},
			"$$all", list("$touched"),
		}}}},
	}}}
	return mongo.Pipeline{
		{{Key: "$set", Value: bson.D{
			{Key: "v", Value: p.version},
			{Key: "done", Value: bson.D{{Key: "$ifNull", Value: bson.A{"$done", int64(0)}}}},
			{Key: "feeds", Value: literal(union(p.own))},
			{Key: "touched", Value: touched},
			{Key: "past", Value: past},
		}}},
		{{Key: "$set", Value: bson.D{
			{Key: "left", Value: ifLeaving(bson.D{{Key: "$ifNull", Value: bson.A{"$left", now.UnixMicro()}}}, "$left")},
			{Key: "leftLast", Value: ifLeaving(now.UnixMicro(), "$leftLast")},
		}}},
	}
}

// ifLeaving is the value where the version leaves a place, and what there was, if anything, where it does not.
func ifLeaving(value any, before string) bson.D {
	return bson.D{{Key: "$cond", Value: bson.A{
		bson.D{{Key: "$setIsSubset", Value: bson.A{"$touched", "$feeds"}}},
		bson.D{{Key: "$ifNull", Value: bson.A{before, "$$REMOVE"}}},
		value,
	}}}
}

// readBack reads the states of items.
func (a *application) readBack(ctx context.Context, plans []*plan) error {
	if len(plans) == 0 {
		return nil
	}
	ids := make([]string, 0, len(plans))
	for _, p := range plans {
		ids = append(ids, p.id)
	}
	cursor, err := a.items.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
	if err != nil {
		return fmt.Errorf("read %d items back: %w", len(ids), err)
	}
	var documents []itemDocument
	if err := cursor.All(ctx, &documents); err != nil {
		return fmt.Errorf("read %d items back: %w", len(ids), err)
	}
	states := make(map[string]itemDocument, len(documents))
	for _, document := range documents {
		states[document.ID] = document
	}
	for _, p := range plans {
		p.state = states[p.id]
	}
	return nil
}
