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

// EnsureSchema creates the collections and their one index where they are missing. It may be called at
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
	// Only the feeds that wait for their count have the field, so the index is as small as the work left.
	_, err := s.feeds.Indexes().CreateOne(ctx, mongo.IndexModel{
		Keys:    bson.D{{Key: "pending", Value: 1}},
		Options: options.Index().SetName("pending").SetSparse(true),
	})
	if err != nil {
		return fmt.Errorf("create index pending of %s: %w", s.feeds.Name(), err)
	}
	return nil
}
