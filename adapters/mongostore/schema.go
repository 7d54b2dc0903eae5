package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// ErrSorts is what EnsureSchema returns where the server would sort a whole feed for each page of it, rather than
// read the page from the index. Everything is made and works by then, but the cost of a page grows with its feed: an application whose
// feeds stay small may go on. It is an error and not a line in a log because it shows only when feeds
// are large. DocumentDB, on which FerretDB stands, has settings that must be made before the index is:
// they are in testbed/images/mongo.
var ErrSorts = errors.New("the server sorts feeds")

// feedIndex is the name of the index that feeds are read by.
const feedIndex = "feeds_pos"

// Codes of errors.
const (
	codeBadValue        = 2
	codeNamespaceExists = 48
	codeDuplicateKey    = 11000
)

// EnsureSchema creates the collections and the two indexes where they are missing. It may be called at
// every start, by several processes at once. It refuses collections with a collation other than the simple one, because
// feeds rely on the order of bytes. It returns ErrSorts where pages would be slow.
func (s *FeedStore[T]) EnsureSchema(ctx context.Context) error {
	names := []string{s.items.Name(), s.feeds.Name()}
	for _, name := range names {
		err := s.db.CreateCollection(ctx, name)
		var command mongo.CommandError
		if err != nil && (!errors.As(err, &command) || command.Code != codeNamespaceExists) {
			return fmt.Errorf("create collection %s: %w", name, err)
		}
	}
	if err := s.checkCollations(ctx, names); err != nil {
		return err
	}
	order := mongo.IndexModel{
		Keys:    bson.D{{Key: fieldFeeds, Value: 1}, {Key: fieldPosition, Value: -1}},
		Options: options.Index().SetName(feedIndex),
	}
	if _, err := s.items.Indexes().CreateOne(ctx, order); err != nil {
		return fmt.Errorf("create index %s of %s: %w", feedIndex, s.items.Name(), err)
	}
	pending := mongo.IndexModel{
		Keys:    bson.D{{Key: fieldPending, Value: 1}},
		Options: options.Index().SetName(fieldPending).SetSparse(true),
	}
	if _, err := s.feeds.Indexes().CreateOne(ctx, pending); err != nil {
		return fmt.Errorf("create index %s of %s: %w", fieldPending, s.feeds.Name(), err)
	}
	return s.checkPlan(ctx)
}

func (s *FeedStore[T]) checkCollations(ctx context.Context, names []string) error {
	specifications, err := s.db.ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: bson.D{{Key: "$in", Value: names}}}})
	if err != nil {
		return fmt.Errorf("list collections: %w", err)
	}
	for _, specification := range specifications {
		if err := checkCollation(specification.Name, specification.Options); err != nil {
			return err
		}
	}
	return nil
}

func checkCollation(collection string, options bson.Raw) error {
	locale, _ := options.Lookup("collation", "locale").StringValueOK()
	if locale != "" && locale != "simple" {
		return fmt.Errorf("collection %s has the collation %q, only the simple one is allowed", collection, locale)
	}
	return nil
}

// checkPlan asks the server how it would read a page.
func (s *FeedStore[T]) checkPlan(ctx context.Context) error {
	page := bson.D{
		{Key: "find", Value: s.items.Name()},
		{Key: "filter", Value: itemsOf("feed", newest)},
		{Key: "sort", Value: newestFirst()},
		{Key: "limit", Value: 1},
		{Key: "hint", Value: feedIndex},
	}
	var plan bson.D
	err := s.db.RunCommand(ctx, bson.D{{Key: "explain", Value: page}, {Key: "verbosity", Value: "queryPlanner"}}).Decode(&plan)
	if err != nil {
		return fmt.Errorf("explain a page: %w", err)
	}
	if stages := stagesOf(plan); slices.ContainsFunc(stages, isSort) || len(stages) == 0 {
		return fmt.Errorf("%w: the plan of a page of %s is %q", ErrSorts, s.items.Name(), stages)
	}
	return nil
}

// isSort reports whether a stage sorts: SORT of MongoDB, Sort and Incremental Sort of PostgreSQL. SHARD_MERGE_SORT merges
// what is sorted.
func isSort(stage string) bool {
	stage = strings.ToUpper(stage)
	return strings.HasSuffix(stage, "SORT") && stage != "SHARD_MERGE_SORT"
}

// stagesOf returns the names of the stages of a plan, as MongoDB and as PostgreSQL describe them, with those that
// were rejected left out.
func stagesOf(plan any) []string {
	var stages []string
	switch node := plan.(type) {
	case bson.D:
		for _, field := range node {
			switch field.Key {
			case "stage", "Node Type":
				stages = append(stages, fmt.Sprint(field.Value))
			case "rejectedPlans", "command":
			default:
				stages = append(stages, stagesOf(field.Value)...)
			}
		}
	case bson.A:
		for _, element := range node {
			stages = append(stages, stagesOf(element)...)
		}
	}
	return stages
}

// missingIndex names EnsureSchema where the index is missing.
func missingIndex(err error) error {
	var command mongo.CommandError
	if errors.As(err, &command) && command.Code == codeBadValue && strings.Contains(command.Message, "hint") {
		return fmt.Errorf("index %s is missing, EnsureSchema creates it: %w", feedIndex, err)
	}
	return err
}
