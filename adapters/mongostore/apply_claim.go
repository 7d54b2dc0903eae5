package mongostore

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
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
// A record that the claim made is known without reading; the others are read back. Items that are most likely new
// are inserted, which costs a server a fraction of an upsert.
func (a *application) claim(ctx context.Context) error {
	var fresh, known []*plan
	for _, p := range a.plans {
		if p.first || a.bulk {
			fresh = append(fresh, p)
		} else {
			known = append(known, p)
		}
	}
	var unknown, notInserted []*plan
	err := together(ctx,
		func(ctx context.Context) (err error) { notInserted, err = a.claimNew(ctx, fresh); return err },
		func(ctx context.Context) (err error) { unknown, err = a.claimOnce(ctx, known); return err })
	if err != nil {
		return err
	}
	unknown = append(unknown, notInserted...)
	for round := 0; ; round++ {
		if err := a.readBack(ctx, unknown); err != nil {
			return err
		}
		// An insert, and an upsert too, loses against an insert of the same moment even when that was of an older
		// version; now that the document exists, the guard decides.
		var remaining []*plan
		for _, p := range unknown {
			if p.state.Version < p.version {
				remaining = append(remaining, p)
			}
		}
		if len(remaining) == 0 {
			return nil
		}
		if round == maxRounds {
			return fmt.Errorf("item %q and %d more keep changing under the claim", remaining[0].id, len(remaining)-1)
		}
		if unknown, err = a.claimOnce(ctx, remaining); err != nil {
			return err
		}
	}
}

// claimNew claims items by inserting their records, and returns those that have one.
func (a *application) claimNew(ctx context.Context, plans []*plan) (existing []*plan, err error) {
	now := time.Now().UnixMicro()
	writes := make([]write, 0, len(plans))
	for _, p := range plans {
		p.state = newRecord(p, now)
		writes = append(writes, write{model: mongo.NewInsertOneModel().SetDocument(p.state)})
		p.won, p.inserted = true, true
	}
	result, err := writeAll(ctx, a.items, writes)
	for _, i := range result.lost {
		plans[i].won, plans[i].inserted = false, false
		existing = append(existing, plans[i])
	}
	return existing, err
}

// claimOnce tries to claim items that have a record or not, and returns those whose record has to be read.
func (a *application) claimOnce(ctx context.Context, plans []*plan) (unknown []*plan, err error) {
	now := time.Now().UnixMicro()
	writes := make([]write, 0, len(plans))
	for _, p := range plans {
		p.won = true
		writes = append(writes, write{model: upsert(olderThan(p.id, p.version), claimOf(p, now))})
	}
	result, err := writeAll(ctx, a.items, writes)
	for _, i := range result.lost {
		plans[i].won = false
	}
	for i, p := range plans {
		if result.upserted[i] {
			p.state, p.inserted = newRecord(p, now), true
		} else {
			unknown = append(unknown, p)
		}
	}
	return unknown, err
}

// newRecord is what claimOf makes of an item that has no record.
func newRecord(p *plan, now int64) itemDocument {
	record := itemDocument{ID: p.id, Version: p.version, Feeds: union(p.own), Touched: union(p.own, p.others), Past: []place{}}
	if len(record.Touched) > len(record.Feeds) {
		record.Left, record.LeftLast = now, now
	}
	return record
}

// claimOf is the update of a claim. All its expressions see the document as it was: a version that was
// done left nothing behind but in its own feeds, so the record starts from them; of one that was not done
// the record is kept.
func claimOf(p *plan, now int64) mongo.Pipeline {
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
			{Key: "left", Value: ifLeaving(bson.D{{Key: "$ifNull", Value: bson.A{"$left", now}}}, "$left")},
			{Key: "leftLast", Value: ifLeaving(now, "$leftLast")},
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
	documents, err := findAll[itemDocument](ctx, a.items, among(ids), options.Find().SetBatchSize(inOneBatch))
	if err != nil {
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
