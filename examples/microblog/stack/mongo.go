package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// openMongo opens the feeds in a MongoDB database.
func (s *Stack) openMongo(ctx context.Context, c Config) error {
	uri, err := connstring.ParseAndValidate(c.MongoURI)
	if err != nil {
		return fmt.Errorf("read the MongoDB URI: %w", err)
	}
	client, err := mongo.Connect(mongostore.ClientOptions().ApplyURI(c.MongoURI))
	if err != nil {
		return fmt.Errorf("read the MongoDB URI: %w", err)
	}
	database := cmp.Or(uri.Database, "microblog")
	s.opened("mongodb", fmt.Sprintf("%v/%s", uri.Hosts, database),
		func(ctx context.Context) error { return client.Ping(ctx, nil) },
		func() error { return client.Disconnect(context.WithoutCancel(ctx)) })
	feeds, err := mongostore.NewFeedStore[post.Post](client.Database(database), mongostore.FeedStoreConfig{Name: api.Kind})
	if err != nil {
		return err
	}
	s.Feeds = feeds
	return s.await(ctx, "create collections in MongoDB", func(ctx context.Context) error {
		err := feeds.EnsureSchema(ctx)
		if errors.Is(err, mongostore.ErrSorts) {
			s.logger.WarnContext(ctx, "Pages of large feeds will be slow", "error", err)
			return nil
		}
		return err
	})
}
