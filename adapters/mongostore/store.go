package mongostore

import (
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// FeedStore keeps feeds in collections of a database. It holds no connection of its own and starts
// no goroutine that outlives a call. It is safe for concurrent use.
type FeedStore[T any] struct {
	collections

	db     *mongo.Database
	config FeedStoreConfig
}

// collections are where a store keeps its documents. Their shapes are in document.go.
type collections struct {
	items, feeds *mongo.Collection
}

var _ readmodel.Store[any] = (*FeedStore[any])(nil)

// NewFeedStore returns a store on a database. It talks to no server. EnsureSchema must have been called once before
// the store is used. The caller disconnects the database's client.
//
// Whatever the database's settings are, the store writes with majority concern and reads from the primary: a
// secondary that lags behind would make Apply take a new version for an old one.
func NewFeedStore[T any](db *mongo.Database, config FeedStoreConfig) (*FeedStore[T], error) {
	config.setDefaults()
	err := config.Validate()
	if db == nil {
		err = errors.Join(errors.New("database is missing"), err)
	}
	if err != nil {
		return nil, fmt.Errorf("mongo feed store config: %w", err)
	}
	collection := func(name string) *mongo.Collection {
		return db.Collection(config.Name+"_"+name, options.Collection().
			SetReadPreference(readpref.Primary()).
			SetWriteConcern(writeconcern.Majority()))
	}
	return &FeedStore[T]{
		collections: collections{
			items: collection("items"),
			feeds: collection("feeds"),
		},
		db:     db,
		config: config,
	}, nil
}
