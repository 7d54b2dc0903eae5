package mongostore

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// bump raises the revisions of the changed feeds and marks their counts as pending, after the entries are
// written and before the items are done: whoever reads a revision and then the entries sees at least what
// the revision stands for, and a version that is done can have left no count wrong for good.
func (a *application) bump(ctx context.Context) error {
	a.token = bson.NewObjectID()
	known, others := a.known.split(a.bumped)
	return together(ctx,
		func(ctx context.Context) error { return a.bumpKnown(ctx, known) },
		func(ctx context.Context) error { return a.bumpAny(ctx, others) })
}

// bumpKnown bumps feeds that most likely have a head, by one statement, which costs a fraction of one for each.
func (a *application) bumpKnown(ctx context.Context, feeds []string) error {
	if len(feeds) == 0 {
		return nil
	}
	result, err := writeAll(ctx, a.feeds, []write{{
		model: mongo.NewUpdateManyModel().SetFilter(among(feeds)).SetUpdate(a.bumpOf()),
	}})
	if err != nil || result.matched == int64(len(feeds)) {
		return err
	}
	// Somebody has dropped the collection, or restored another one. A bump too many does no harm.
	return a.bumpAny(ctx, feeds)
}

// bumpAny bumps feeds that have a head, and others.
func (a *application) bumpAny(ctx context.Context, remaining []string) error {
	for round := 0; len(remaining) > 0; round++ {
		if round == maxRounds {
			return fmt.Errorf("feed %q and %d more keep changing under the bump", remaining[0], len(remaining)-1)
		}
		update := append(a.bumpOf(), bson.E{Key: "$setOnInsert", Value: bson.D{
			{Key: "count", Value: int64(0)}, {Key: "counted", Value: int64(0)},
		}})
		writes := make([]write, 0, len(remaining))
		for _, feed := range remaining {
			writes = append(writes, write{model: upsert(bson.D{{Key: "_id", Value: feed}}, update)})
		}
		result, err := writeAll(ctx, a.feeds, writes)
		if err != nil {
			return err
		}
		// Two first bumps of a feed can collide; the document is there the next time.
		again := make([]string, 0, len(result.lost))
		for _, i := range result.lost {
			again = append(again, remaining[i])
		}
		a.known.add(remaining)
		remaining = again
	}
	return nil
}

func (a *application) bumpOf() bson.D {
	return bson.D{
		{Key: "$inc", Value: bson.D{{Key: "rev", Value: int64(1)}, {Key: "changes", Value: int64(1)}}},
		{Key: "$set", Value: bson.D{{Key: "by", Value: a.token}, {Key: "pending", Value: true}}},
	}
}

// readHeads reads the feeds that will be announced, after the bump.
func (a *application) readHeads(ctx context.Context) error {
	names := make([]string, 0, len(a.tell))
	for feed := range a.tell {
		names = append(names, feed)
	}
	a.heads = make(map[string]feedDocument, len(names))
	if len(names) == 0 {
		return nil
	}
	documents, err := findAll[feedDocument](ctx, a.feeds, among(names), options.Find().SetBatchSize(inOneBatch))
	if err != nil {
		return fmt.Errorf("read the revisions of %d feeds: %w", len(names), err)
	}
	for _, document := range documents {
		a.heads[document.Name] = document
	}
	return nil
}
