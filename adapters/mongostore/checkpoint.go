package mongostore

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

var (
	_ readmodel.Checkpointer   = (*FeedStore[any])(nil)
	_ readmodel.BulkStore[any] = (*FeedStore[any])(nil)
)

// Bulk implements readmodel.BulkStore.
func (s *FeedStore[T]) Bulk() cqrsfeed.FeedStore[T] {
	bulk := *s
	bulk.bulk = true
	return &bulk
}

// SaveCheckpoint implements readmodel.Checkpointer.
func (s *FeedStore[T]) SaveCheckpoint(ctx context.Context, name, value string) error {
	byName := bson.D{{Key: "_id", Value: name}}
	var err error
	if value == "" {
		_, err = s.checkpoints.DeleteOne(ctx, byName)
	} else {
		_, err = s.checkpoints.ReplaceOne(ctx, byName, bson.D{{Key: "value", Value: value}}, options.Replace().SetUpsert(true))
	}
	if err != nil {
		return fmt.Errorf("save checkpoint %q: %w", name, err)
	}
	return nil
}

// LoadCheckpoint implements readmodel.Checkpointer.
func (s *FeedStore[T]) LoadCheckpoint(ctx context.Context, name string) (string, error) {
	var saved struct {
		Value string `bson:"value"`
	}
	err := s.checkpoints.FindOne(ctx, bson.D{{Key: "_id", Value: name}}).Decode(&saved)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return "", fmt.Errorf("load checkpoint %q: %w", name, err)
	}
	return saved.Value, nil
}
