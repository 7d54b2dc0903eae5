package mongostore

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const namespaceExists = 48

// EnsureSchema creates the collections and their two indexes where they are missing. It may be called at
// every start, by several processes at once. Collections that exist are left as they are; they must have
// no collation, because feeds rely on the byte order of _id.
func (s *FeedStore[T]) EnsureSchema(ctx context.Context) error {
	for _, collection := range []*mongo.Collection{s.items, s.entries, s.feeds, s.checkpoints} {
		err := s.db.CreateCollection(ctx, collection.Name())
		var command mongo.CommandError
		if err != nil && (!errors.As(err, &command) || command.Code != namespaceExists) {
			return fmt.Errorf("create collection %s: %w", collection.Name(), err)
		}
	}
	if err := ensureSparseIndex(ctx, s.feeds, "pending"); err != nil {
		return err
	}
	return ensureSparseIndex(ctx, s.items, "left")
}

// ensureSparseIndex indexes a field that only documents have which wait for something, so that the index is as
// small as the work that is left.
func ensureSparseIndex(ctx context.Context, collection *mongo.Collection, field string) error {
	_, err := collection.Indexes().CreateOne(ctx, mongo.IndexModel{
		Keys:    bson.D{{Key: field, Value: 1}},
		Options: options.Index().SetName(field).SetSparse(true),
	})
	if err != nil {
		return fmt.Errorf("create index %s of %s: %w", field, collection.Name(), err)
	}
	return nil
}
