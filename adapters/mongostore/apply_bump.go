package mongostore

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// bump raises the revisions of the changed feeds and marks their counts as pending, after the entries are
// written and before the items are done: whoever reads a revision and then the entries sees at least what
// the revision stands for, and a version that is done can have left no count wrong for good.
func (a *application) bump(ctx context.Context) error {
	a.token = bson.NewObjectID()
	remaining := a.bumped
	for round := 0; len(remaining) > 0; round++ {
		if round == maxRounds {
			return fmt.Errorf("feed %q and %d more keep changing under the bump", remaining[0], len(remaining)-1)
		}
		writes := make([]write, 0, len(remaining))
		for _, feed := range remaining {
			writes = append(writes, write{model: upsert(bson.D{{Key: "_id", Value: feed}}, bson.D{
				{Key: "$inc", Value: bson.D{{Key: "rev", Value: int64(1)}, {Key: "changes", Value: int64(1)}}},
				{Key: "$set", Value: bson.D{{Key: "by", Value: a.token}, {Key: "pending", Value: true}}},
				{Key: "$setOnInsert", Value: bson.D{{Key: "count", Value: int64(0)}, {Key: "counted", Value: int64(0)}}},
			})})
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
		remaining = again
	}
	return nil
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
	cursor, err := a.feeds.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: names}}}})
	if err != nil {
		return fmt.Errorf("read the revisions of %d feeds: %w", len(names), err)
	}
	var documents []feedDocument
	if err := cursor.All(ctx, &documents); err != nil {
		return fmt.Errorf("read the revisions of %d feeds: %w", len(names), err)
	}
	for _, document := range documents {
		a.heads[document.Name] = document
	}
	return nil
}
