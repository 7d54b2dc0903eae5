package mongostore

import (
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// FeedStore keeps feeds in collections of a database. It holds no connection of its own and starts
// no goroutine that outlives a call. The package comment says what it promises.
type FeedStore[T any] struct {
	collections

	db     *mongo.Database
	config FeedStoreConfig
	budget *countBudget
	known  *knownFeeds
	bulk   bool // all items are most likely new
}

// collections are where a store keeps its documents; document.go has their shapes.
type collections struct {
	items, entries, feeds, checkpoints *mongo.Collection
}

var (
	_ cqrsfeed.FeedStore[any] = (*FeedStore[any])(nil)
	_ cqrsfeed.Recounter      = (*FeedStore[any])(nil)
)

// NewFeedStore checks the configuration; it talks to no server. EnsureSchema has to be called once before
// the store is used. The database stays the caller's to disconnect.
//
// Whatever the database is set to, the store writes with majority concern and reads from the primary: a
// secondary that lags behind would make Apply take a new version for an old one.
func NewFeedStore[T any](db *mongo.Database, config FeedStoreConfig) (*FeedStore[T], error) {
	config.setDefaults()
	err := config.Validate()
	if db == nil {
		err = errors.Join(errors.New("no database"), err)
	}
	if err != nil {
		return nil, fmt.Errorf("mongo feed store config: %w", err)
	}
	collection := func(name string) *mongo.Collection {
		return db.Collection(config.CollectionPrefix+name, options.Collection().
			SetReadPreference(readpref.Primary()).
			SetWriteConcern(writeconcern.Majority()))
	}
	return &FeedStore[T]{
		collections: collections{
			items:       collection("items"),
			entries:     collection("entries"),
			feeds:       collection("feeds"),
			checkpoints: collection("checkpoints"),
		},
		db:     db,
		config: config,
		budget: newCountBudget(),
		known:  newKnownFeeds(),
	}, nil
}
