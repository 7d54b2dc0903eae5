package mongostore

import (
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// FeedStore keeps feeds in collections of a database. It holds no connection and starts no goroutine that outlives a
// call. It is safe for concurrent use.
type FeedStore[T any] struct {
	collections

	db     *mongo.Database
	config FeedStoreConfig
	others pendingOfOthers
}

// collections are the collections of a store. document.go describes their documents.
type collections struct {
	items, feeds *mongo.Collection
	// counter marks the pending counts of this store. It is unique.
	counter string
	known   *knownHeads
}

var _ readmodel.Store[any] = (*FeedStore[any])(nil)

// NewFeedStore returns a store on a database. It makes no request. Call EnsureSchema once before you use the store. The
// caller disconnects the database's client.
//
// The store does not use the concerns, the read preference and the encoding options of the database and its client. It
// writes with majority concern, and reads with majority concern from the primary: see the package comment.
func NewFeedStore[T any](db *mongo.Database, config FeedStoreConfig) (*FeedStore[T], error) {
	config.setDefaults()
	err := errors.Join(config.Validate(), driver.CheckBody[T]())
	if db == nil {
		err = errors.Join(errors.New("database is missing"), err)
	}
	if err != nil {
		return nil, fmt.Errorf("mongo feed store config: %w", err)
	}
	db = durable(db)
	return &FeedStore[T]{
		collections: collections{
			items:   db.Collection(config.Name + "_items"),
			feeds:   db.Collection(config.Name + "_feeds"),
			counter: bson.NewObjectID().Hex(),
			known:   &knownHeads{},
		},
		db:     db,
		config: config,
	}, nil
}

// durable returns the database with the settings that the store requires.
func durable(db *mongo.Database) *mongo.Database {
	journal := true
	return db.Client().Database(db.Name(), options.Database().
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Majority()).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal}).
		SetBSONOptions(&options.BSONOptions{}).
		SetRegistry(bson.NewRegistry()))
}
