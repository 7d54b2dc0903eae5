package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Bulks are cut here and not by the driver: below every server's limits (100,000 operations and 48 MB a
// message), and small enough that no single command holds its locks for long.
const (
	maxBulkWrites = 1000
	maxBulkBytes  = 8 << 20
)

const duplicateKey = 11000

// write is one guarded write of a bulk.
type write struct {
	model mongo.WriteModel
	size  int // of its payload, in bytes
}

// outcome is what became of each write of a bulk.
type outcome struct {
	// upserted are the indexes of the writes that made a new document.
	upserted map[int]bool
	// lost are the indexes of the upserts that did not match and could not insert, in ascending order: the
	// document exists. Either it is as new as what was to be written, or it came into being in the same
	// moment, which only a read can tell.
	lost []int
	// matched is how many documents existing writes found.
	matched int64
}

// writeAll sends writes of one kind (inserts, updates or deletes) unordered, in as few commands as the limits
// allow. Writers keep them sorted by _id: servers that lock the rows of a command one after the other
// then cannot deadlock.
func writeAll(ctx context.Context, collection *mongo.Collection, writes []write) (outcome, error) {
	all := outcome{upserted: make(map[int]bool)}
	for start := 0; start < len(writes); {
		end := bulkEnd(writes, start)
		models := make([]mongo.WriteModel, 0, end-start)
		for _, w := range writes[start:end] {
			models = append(models, w.model)
		}
		result, err := collection.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		lost, err := losers(err)
		if err != nil {
			return all, fmt.Errorf("bulk of %d writes to %s: %w", len(models), collection.Name(), err)
		}
		for i := range result.UpsertedIDs {
			all.upserted[start+int(i)] = true
		}
		for _, i := range lost {
			all.lost = append(all.lost, start+i)
		}
		all.matched += result.MatchedCount
		start = end
	}
	return all, nil
}

// bulkEnd is where the bulk that begins at start ends.
func bulkEnd(writes []write, start int) int {
	end, bytes := start, 0
	for end < len(writes) && end-start < maxBulkWrites {
		bytes += writes[end].size
		if bytes > maxBulkBytes && end > start {
			break
		}
		end++
	}
	return end
}

// losers tells the upserts that lost against an existing document (no error: stale or repeated messages
// do that) from everything else that went wrong with a bulk (an error).
func losers(err error) ([]int, error) {
	if err == nil {
		return nil, nil
	}
	var bulk mongo.BulkWriteException
	if !errors.As(err, &bulk) || bulk.WriteConcernError != nil || len(bulk.WriteErrors) == 0 {
		return nil, err
	}
	lost := make([]int, 0, len(bulk.WriteErrors))
	for _, failed := range bulk.WriteErrors {
		if failed.Code != duplicateKey {
			return nil, err
		}
		lost = append(lost, failed.Index)
	}
	slices.Sort(lost)
	return lost, nil
}

// upsert is a write that updates or makes the document that filter names by _id.
func upsert(filter bson.D, update any) mongo.WriteModel {
	return mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(update).SetUpsert(true)
}

// olderThan is the guard of a write: the document with that _id, if its version is lower.
func olderThan(id string, version int64) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "v", Value: bson.D{{Key: "$lt", Value: version}}}}
}
