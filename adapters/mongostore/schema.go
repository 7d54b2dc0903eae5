package mongostore

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// ErrSorts is returned by EnsureSchema if the server would sort a whole feed for each page, or all feeds of a union, rather
// than read the page from the index. Everything is created and works, but the cost of a page grows with its feed. An application whose
// feeds stay small can ignore the error. It is an error and not a warning in the log, because the effect shows only
// once feeds are large. DocumentDB, on which FerretDB is based, has settings that must be made before the index is
// created: see testbed/images/mongo.
var ErrSorts = errors.New("the server sorts feeds")

// Names of indexes.
const (
	feedIndex    = "feeds_pos"
	listedIndex  = "listed"
	pendingIndex = "pending"
)

// Codes of errors.
const (
	codeBadValue              = 2
	codeUnauthorized          = 13
	codeNamespaceExists       = 48
	codeIndexOptionsConflict  = 85
	codeIndexKeySpecsConflict = 86
	codeDuplicateKey          = 11000
)

// EnsureSchema creates missing collections and indexes. It can be called at every start, by several processes at once.
// It refuses a server that is too old, and collections and indexes with options that would break feeds, such as another
// shard key than _id, which it sees if the user may read config.collections. The error says what to change. It returns ErrSorts if pages or unions would be slow.
func (s *FeedStore[T]) EnsureSchema(ctx context.Context) error {
	router, err := s.checkServer(ctx)
	if err != nil {
		return err
	}
	for _, collection := range []*mongo.Collection{s.items, s.feeds} {
		err := s.db.CreateCollection(ctx, collection.Name())
		if err != nil && !hasCode(err, codeNamespaceExists) {
			return fmt.Errorf("create collection %s: %w", collection.Name(), err)
		}
	}
	if err := s.checkCollections(ctx); err != nil {
		return err
	}
	if router {
		if err := s.checkShardKeys(ctx); err != nil {
			return err
		}
	}
	if err := ensureIndexes(ctx, s.items, itemIndexes()); err != nil {
		return err
	}
	if err := ensureIndexes(ctx, s.feeds, feedIndexes()); err != nil {
		return err
	}
	return s.checkPlans(ctx)
}

// index is the server's description of an index.
type index struct {
	Name        string        `bson:"name"`
	Keys        bson.D        `bson:"key"`
	Sparse      bool          `bson:"sparse"`
	Unique      bool          `bson:"unique"`
	Hidden      bool          `bson:"hidden"`
	Partial     bson.D        `bson:"partialFilterExpression"`
	Collation   collation     `bson:"collation"`
	ExpireAfter bson.RawValue `bson:"expireAfterSeconds"`
}

type collation struct {
	Locale string `bson:"locale"`
}

// simple reports whether strings are compared by their bytes.
func (c collation) simple() bool { return c.Locale == "" || c.Locale == "simple" }

func itemIndexes() []index {
	return []index{{Name: feedIndex, Keys: bson.D{{Key: fieldFeeds, Value: int32(1)}, {Key: fieldPosition, Value: int32(-1)}}}}
}

// feedIndexes are the indexes of the heads. An index of _id alone cannot be partial.
func feedIndexes() []index {
	return []index{
		{
			Name: listedIndex, Keys: bson.D{{Key: fieldID, Value: int32(1)}, {Key: fieldCount, Value: int32(1)}},
			Partial: bson.D{{Key: fieldCount, Value: hasItems()}},
		},
		{Name: pendingIndex, Keys: bson.D{{Key: fieldPending, Value: int32(1)}}, Sparse: true},
	}
}

// ensureIndexes creates the indexes of a collection, and checks all indexes that it has.
func ensureIndexes(ctx context.Context, collection *mongo.Collection, indexes []index) error {
	for _, wanted := range indexes {
		opts := options.Index().SetName(wanted.Name)
		if wanted.Sparse {
			opts.SetSparse(true)
		}
		if wanted.Partial != nil {
			opts.SetPartialFilterExpression(wanted.Partial)
		}
		_, err := collection.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: wanted.Keys, Options: opts})
		switch {
		case hasCode(err, codeIndexOptionsConflict), hasCode(err, codeIndexKeySpecsConflict):
			return fmt.Errorf("index %s of %s exists with other keys, options or another name: drop it and call EnsureSchema again: %w",
				wanted.Name, collection.Name(), err)
		case err != nil:
			return fmt.Errorf("create index %s of %s: %w", wanted.Name, collection.Name(), err)
		}
	}
	cursor, err := collection.Indexes().List(ctx)
	var found []index
	if err == nil {
		err = cursor.All(ctx, &found)
	}
	if err != nil {
		return fmt.Errorf("list indexes of %s: %w", collection.Name(), err)
	}
	return checkIndexes(collection.Name(), found, indexes)
}

func hasCode(err error, code int32) bool {
	var command mongo.CommandError
	return errors.As(err, &command) && command.Code == code
}
