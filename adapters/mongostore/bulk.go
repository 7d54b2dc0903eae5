package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/internal/panics"
)

// Bulks are split here and not by the driver. They stay below every server's limits (100,000 operations and 48 MB a
// message), and no single command holds its locks for long. Only a single write may be larger.
const (
	maxBulkWrites = 1000
	maxBulkBytes  = 8 << 20
)

// write is one write of a bulk.
type write struct {
	model mongo.WriteModel
	size  int // of the documents and lists of names in it; the rest of a write has less than 1 KB
}

// outcome is the result of a bulk.
type outcome struct {
	// lost are the indexes of the inserts and upserts whose document already exists, in ascending order.
	lost []int
	// matched is the number of documents that the updates and replacements found.
	matched int64
}

// writeAll sends writes of one kind (inserts, updates or deletes) unordered, in as few commands as the limits allow.
// Callers sort them by _id, so that there are no deadlocks on servers that lock the rows of a command one after the
// other.
func writeAll(ctx context.Context, collection *mongo.Collection, writes []write) (outcome, error) {
	var all outcome
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
		for _, i := range lost {
			all.lost = append(all.lost, start+i)
		}
		all.matched += result.MatchedCount
		start = end
	}
	return all, nil
}

// bulkEnd returns where the bulk that begins at start ends.
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

// losers returns the indexes of the writes that failed because their document already exists. Stale and repeated
// messages cause that. Every other failure is an error.
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
		if failed.Code != codeDuplicateKey {
			return nil, err
		}
		lost = append(lost, failed.Index)
	}
	slices.Sort(lost)
	return lost, nil
}

// together runs steps concurrently, waits for all, and joins their errors. A panic of a step is one of together.
func together(ctx context.Context, steps ...func(context.Context) error) error {
	errs := make([]error, len(steps))
	var running panics.Group
	for i, step := range steps {
		running.Go(func() { errs[i] = step(ctx) })
	}
	running.Wait().Raise(nil, nil)
	return errors.Join(errs...)
}
