package mongostore

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// maxRounds is the maximum number of tries of a write that loses to concurrent ones. Each time it lost, another write
// succeeded.
const maxRounds = 100

// write stores each plan's state unless the same or a newer one is stored. It reads an item and then writes it if its
// version is still the one that was read. It inserts an item that is most likely new without reading it. Concurrently
// with the writes it reads the heads of the feeds, before anything is counted.
func (a *application) write(ctx context.Context) error {
	if err := a.read(ctx, slices.DeleteFunc(slices.Clone(a.plans), func(p *plan) bool { return p.first })); err != nil {
		return err
	}
	remaining := a.plans
	for round := 0; len(remaining) > 0; round++ {
		if round == maxRounds {
			return fmt.Errorf("item %q and %d more keep changing", remaining[0].next.ID, len(remaining)-1)
		}
		var fresh, stale, lostInserts, lostReplacements []*plan
		for _, p := range remaining {
			if !p.exists {
				fresh = append(fresh, p)
			} else if p.stale() {
				stale = append(stale, p)
			}
		}
		feeds := a.unreadFeeds(remaining)
		err := together(ctx,
			func(ctx context.Context) (err error) { lostInserts, err = a.insert(ctx, fresh); return err },
			func(ctx context.Context) (err error) { lostReplacements, err = a.replace(ctx, stale); return err },
			func(ctx context.Context) error { return a.readHeads(ctx, feeds) })
		if err != nil {
			return err
		}
		remaining = append(lostInserts, lostReplacements...)
		slices.SortFunc(remaining, byItem)
		if err := a.read(ctx, remaining); err != nil {
			return err
		}
	}
	return nil
}

// insert inserts items that do not exist, and returns the plans of those that do.
func (a *application) insert(ctx context.Context, plans []*plan) (lost []*plan, err error) {
	writes := make([]write, 0, len(plans))
	for _, p := range plans {
		writes = append(writes, write{model: mongo.NewInsertOneModel().SetDocument(p.next), size: p.next.size()})
	}
	result, err := writeAll(ctx, a.items, writes)
	if err != nil {
		return nil, err
	}
	for i, p := range plans {
		if _, found := slices.BinarySearch(result.lost, i); found {
			lost = append(lost, p)
		} else {
			p.wrote(p.next)
			p.inserted = true
		}
	}
	return lost, nil
}

// replace replaces each item whose version is still the one that was read. It returns the plans of the other items.
func (a *application) replace(ctx context.Context, plans []*plan) (lost []*plan, err error) {
	writes := make([]write, 0, len(plans))
	documents := make([]itemDocument, 0, len(plans))
	for _, p := range plans {
		document := p.replacement()
		documents = append(documents, document)
		writes = append(writes, write{
			model: mongo.NewReplaceOneModel().SetFilter(at(p.stored.ID, p.stored.state())).SetReplacement(document),
			size:  document.size(),
		})
	}
	result, err := writeAll(ctx, a.items, writes)
	if err != nil || result.matched < int64(len(plans)) {
		return plans, err // which of them lost is not known
	}
	for i, p := range plans {
		p.wrote(documents[i])
	}
	return nil, nil
}

// wrote records that this batch wrote a document.
func (p *plan) wrote(document itemDocument) {
	document.Body = ""
	p.stored, p.exists, p.written = document, true, true
}

// read reads the stored items, without their bodies.
func (a *application) read(ctx context.Context, plans []*plan) error {
	ids := make([]string, 0, len(plans))
	for _, p := range plans {
		ids = append(ids, p.next.ID)
	}
	documents, err := a.itemsByID(ctx, ids, options.Find().SetProjection(withoutBody()))
	if err != nil {
		return err
	}
	stored := make(map[string]itemDocument, len(documents))
	for _, document := range documents {
		stored[document.ID] = document
	}
	for _, p := range plans {
		p.stored, p.exists = stored[p.next.ID]
	}
	return nil
}

// settle marks the feeds that items left as bumped. The guard protects a newer version of an item, whose feeds this
// worker has not bumped.
func (a *application) settle(ctx context.Context) error {
	var writes []write
	for _, p := range a.plans {
		if !p.current() || len(p.stored.Left) == 0 {
			continue
		}
		past := p.stored.settledPast()
		writes = append(writes, write{
			model: mongo.NewUpdateOneModel().
				SetFilter(at(p.next.ID, p.stored.state())).
				SetUpdate(bson.D{
					{Key: "$set", Value: bson.D{{Key: "past", Value: past}}},
					{Key: "$unset", Value: bson.D{{Key: "left", Value: ""}}},
				}),
			size: sizeOf(past),
		})
	}
	_, err := writeAll(ctx, a.items, writes)
	if err != nil {
		return fmt.Errorf("settle items: %w", err)
	}
	return nil
}

// maxPast is the maximum number of former feeds of an item that are recorded.
const maxPast = 1000

// settledPast is Past after Left has been bumped.
func (d itemDocument) settledPast() []string {
	past := without(union(d.Past, d.Left), d.Feeds)
	if len(past) > maxPast {
		past = d.Left[:min(len(d.Left), maxPast)]
	}
	return past
}

// at is the filter for an item in a state.
func at(id string, state cqrsfeed.FeedState) bson.D {
	return bson.D{
		{Key: fieldID, Value: id},
		{Key: fieldVersion, Value: state.Version},
		{Key: fieldRule, Value: state.Rule},
		{Key: fieldWithheld, Value: bson.D{{Key: "$exists", Value: state.Withheld}}},
	}
}

// findAll reads all documents that a filter finds.
func findAll[D any](
	ctx context.Context, collection *mongo.Collection, filter any, opts *options.FindOptionsBuilder,
) ([]D, error) {
	var documents []D
	cursor, err := collection.Find(ctx, filter, opts.SetBatchSize(inOneBatch))
	if err == nil {
		err = cursor.All(ctx, &documents)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", collection.Name(), err)
	}
	return documents, nil
}
