package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// leastWireVersion is that of MongoDB 5.0.
const leastWireVersion = 13

// checkServer checks the version of the server's protocol, and reports whether the server is a router of a sharded cluster.
func (s *FeedStore[T]) checkServer(ctx context.Context) (router bool, err error) {
	var server hello
	if err := s.db.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&server); err != nil {
		return false, fmt.Errorf("ask the server for its version: %w", err)
	}
	return server.Message == "isdbgrid", server.check()
}

// hello is the server's description of itself.
type hello struct {
	MaxWireVersion int    `bson:"maxWireVersion"`
	Message        string `bson:"msg"`
}

func (h hello) check() error {
	if h.MaxWireVersion < leastWireVersion {
		return fmt.Errorf("the server has wire version %d, the store needs %d: upgrade to MongoDB 5.0 or later, "+
			"and set featureCompatibilityVersion to the same", h.MaxWireVersion, leastWireVersion)
	}
	return nil
}

func (s *FeedStore[T]) checkCollections(ctx context.Context) error {
	names := bson.D{{Key: "$in", Value: []string{s.items.Name(), s.feeds.Name()}}}
	specifications, err := s.db.ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: names}})
	if err != nil {
		return fmt.Errorf("list collections: %w", err)
	}
	var problems []error
	for _, specification := range specifications {
		problems = append(problems, checkCollection(specification.Name, specification.Type, specification.Options))
	}
	return errors.Join(problems...)
}

// checkCollection returns all properties that make a collection unusable for feeds, joined.
func checkCollection(name, kind string, raw bson.Raw) error {
	const instead = "move it away, and EnsureSchema creates it"
	var options struct {
		Capped           bool          `bson:"capped"`
		Collation        collation     `bson:"collation"`
		Validator        bson.D        `bson:"validator"`
		ValidationAction string        `bson:"validationAction"`
		ExpireAfter      bson.RawValue `bson:"expireAfterSeconds"`
	}
	if err := bson.Unmarshal(raw, &options); err != nil {
		return fmt.Errorf("read the options of collection %s: %w", name, err)
	}
	var problems []error
	refuse := func(wrong bool, problem, remedy string) {
		if wrong {
			problems = append(problems, fmt.Errorf("%s %s: %s", name, problem, remedy))
		}
	}
	refuse(kind != "" && kind != "collection", "is a "+kind+" and no collection", instead)
	refuse(options.Capped, "is capped, and the server would drop the oldest items", instead)
	refuse(!options.Collation.simple(),
		fmt.Sprintf("has the collation %q, and feeds need the order of bytes", options.Collation.Locale), instead)
	refuse(!options.ExpireAfter.IsZero(), "removes documents by their age", instead)
	refuse(len(options.Validator) > 0 && options.ValidationAction != "warn", "has a validator, which can refuse writes",
		`remove it, or set its validationAction to "warn"`)
	return errors.Join(problems...)
}

// checkShardKeys checks the keys by which a cluster has sharded the collections. Without the right to read them it checks
// nothing.
func (s *FeedStore[T]) checkShardKeys(ctx context.Context) error {
	prefix := s.db.Name() + "."
	names := bson.D{{Key: "$in", Value: []string{prefix + s.items.Name(), prefix + s.feeds.Name()}}}
	cursor, err := s.db.Client().Database("config").Collection("collections").Find(ctx, bson.D{{Key: fieldID, Value: names}})
	var found []sharded
	if err == nil {
		err = cursor.All(ctx, &found)
	}
	if hasCode(err, codeUnauthorized) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the shard keys: %w", err)
	}
	problems := make([]error, len(found))
	for i, collection := range found {
		problems[i] = collection.check()
	}
	return errors.Join(problems...)
}

// sharded is a collection in the catalog of a cluster.
type sharded struct {
	Namespace string `bson:"_id"`
	Key       bson.D `bson:"key"`
}

// check refuses every key but the id, by its order or its hash: writes name no other field.
func (c sharded) check() error {
	if len(c.Key) == 1 && c.Key[0].Key == fieldID {
		return nil
	}
	return fmt.Errorf("%s is sharded by %s, and the writes of the store name only %s: "+
		`set the shard key to {_id: "hashed"}, by sh.reshardCollection(%q, {_id: "hashed"})`, c.Namespace, describe(c.Key), fieldID, c.Namespace)
}

// checkIndexes returns all problems of the indexes of a collection, joined. It permits further indexes, unless they
// refuse or remove documents.
func checkIndexes(collection string, found, wanted []index) error {
	var problems []error
	refuse := func(name, problem string) {
		problems = append(problems, fmt.Errorf("index %s of %s %s: drop it and call EnsureSchema again", name, collection, problem))
	}
	for _, is := range found {
		if is.Unique && is.Name != "_id_" {
			refuse(is.Name, "is unique, and refuses items")
		}
		if !is.ExpireAfter.IsZero() {
			refuse(is.Name, "removes documents by their age")
		}
		i := slices.IndexFunc(wanted, func(index index) bool { return index.Name == is.Name })
		if i < 0 {
			continue
		}
		if difference := is.differsFrom(wanted[i]); difference != "" {
			refuse(is.Name, difference)
		}
	}
	return errors.Join(problems...)
}

// differsFrom describes the first difference, or returns "".
func (is index) differsFrom(wanted index) string {
	switch {
	case describe(is.Keys) != describe(wanted.Keys):
		return "has the keys " + describe(is.Keys) + " instead of " + describe(wanted.Keys)
	case is.Sparse != wanted.Sparse:
		return fmt.Sprintf("has sparse: %t instead of %t", is.Sparse, wanted.Sparse)
	case describe(is.Partial) != describe(wanted.Partial):
		return "has the filter " + describe(is.Partial) + " instead of " + describe(wanted.Partial)
	case is.Hidden:
		return "is hidden"
	case !is.Collation.simple():
		return fmt.Sprintf("has the collation %q", is.Collation.Locale)
	default:
		return ""
	}
}

// describe returns a document as text. Numbers of all types look the same.
func describe(document bson.D) string {
	fields := make([]string, 0, len(document))
	for _, field := range document {
		value := fmt.Sprint(field.Value)
		if nested, ok := field.Value.(bson.D); ok {
			value = describe(nested)
		}
		fields = append(fields, field.Key+": "+value)
	}
	return "{" + strings.Join(fields, ", ") + "}"
}
