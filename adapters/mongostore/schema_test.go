package mongostore_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/feedmill/feedmill/adapters/mongostore"
)

// Plans as servers describe them, shortened.
func TestStagesOfPlans(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plan   string
		stages []string
		sorts  bool
	}{
		"MongoDB": {
			plan: `{"queryPlanner": {"winningPlan": {"stage": "LIMIT", "inputStage": {"stage": "FETCH", "inputStage": {"stage": "IXSCAN"}}},
				"rejectedPlans": [{"stage": "SORT"}]}, "command": {"sort": {"pos": -1}}}`,
			stages: []string{"LIMIT", "FETCH", "IXSCAN"},
		},
		"MongoDB, sharded": {
			plan: `{"queryPlanner": {"winningPlan": {"stage": "SHARD_MERGE_SORT", "shards": [
				{"winningPlan": {"stage": "LIMIT", "inputStage": {"stage": "IXSCAN"}}}]}}}`,
			stages: []string{"SHARD_MERGE_SORT", "LIMIT", "IXSCAN"},
		},
		"MongoDB that sorts": {
			plan:   `{"queryPlanner": {"winningPlan": {"stage": "SORT", "inputStage": {"stage": "COLLSCAN"}}}}`,
			stages: []string{"SORT", "COLLSCAN"}, sorts: true,
		},
		"DocumentDB": {
			plan:   `{"queryPlanner": {"Plan": {"Node Type": "Limit", "Plans": [{"Node Type": "Index Scan"}]}}}`,
			stages: []string{"Limit", "Index Scan"},
		},
		"DocumentDB that sorts": {
			plan:   `{"queryPlanner": {"Plan": {"Node Type": "Limit", "Plans": [{"Node Type": "Sort", "Plans": [{"Node Type": "Bitmap Heap Scan"}]}]}}}`,
			stages: []string{"Limit", "Sort", "Bitmap Heap Scan"}, sorts: true,
		},
	} {
		var plan bson.D
		require.NoError(t, bson.UnmarshalExtJSON([]byte(c.plan), false, &plan))
		stages := mongostore.StagesOf(plan)
		require.Equal(t, c.stages, stages, name)
		require.Equal(t, c.sorts, slices.ContainsFunc(stages, mongostore.IsSort), name)
	}
}

// TestCollectionsAreChecked with options as MongoDB describes them: FerretDB has none of these.
func TestCollectionsAreChecked(t *testing.T) {
	t.Parallel()
	for options, problem := range map[string]string{
		`{}`: "",
		`{"capped": false, "collation": {"locale": "simple"}, "validator": {}}`:                     "",
		`{"validator": {"v": {"$gt": 0}}, "validationLevel": "strict", "validationAction": "warn"}`: "",
		`{"capped": true, "size": 4096}`:                                                              "post_items is capped, and the server would drop the oldest items: move it away",
		`{"collation": {"locale": "en", "strength": 2}}`:                                              `has the collation "en", and feeds need the order of bytes: move it away`,
		`{"validator": {"v": {"$gt": 0}}, "validationLevel": "strict", "validationAction": "error"}`:  `has a validator, which can refuse writes: remove it`,
		`{"clusteredIndex": {"v": 2, "key": {"_id": 1}, "unique": true}, "expireAfterSeconds": 3600}`: "removes documents by their age: move it away",
	} {
		err := mongostore.CheckCollection("collection", raw(t, options))
		if problem == "" {
			require.NoError(t, err, options)
		} else {
			require.ErrorContains(t, err, problem)
		}
	}
	require.ErrorContains(t, mongostore.CheckCollection("view", raw(t, `{"viewOn": "posts"}`)), "post_items is a view and no collection")
}

func raw(t *testing.T, document string) bson.Raw {
	t.Helper()
	var raw bson.Raw
	require.NoError(t, bson.UnmarshalExtJSON([]byte(document), false, &raw))
	return raw
}

func TestIndexesAreChecked(t *testing.T) {
	t.Parallel()
	for described, problem := range map[string]string{
		`{"v": 2, "key": {"_id": 1}, "name": "_id_", "unique": true}`:                                                           "",
		`{"v": 2, "key": {"_id": 1.0, "count": 1}, "name": "listed", "partialFilterExpression": {"count": {"$gt": 0.0}}}`:       "",
		`{"v": 2, "key": {"pending": 1}, "name": "pending", "sparse": true, "storageEngine": {"enableOrderedIndex": true}}`:     "",
		`{"v": 2, "key": {"rev": 1}, "name": "of_somebody"}`:                                                                    "",
		`{"v": 2, "key": {"rev": 1}, "name": "of_somebody", "unique": true}`:                                                    "index of_somebody of post_feeds is unique, and refuses items: drop it",
		`{"v": 2, "key": {"at": 1}, "name": "ttl", "expireAfterSeconds": 60}`:                                                   "index ttl of post_feeds removes documents by their age: drop it",
		`{"v": 2, "key": {"_id": 1, "count": -1}, "name": "listed", "partialFilterExpression": {"count": {"$gt": 0}}}`:          "has the keys {_id: 1, count: -1} instead of {_id: 1, count: 1}",
		`{"v": 2, "key": {"_id": 1, "count": 1}, "name": "listed"}`:                                                             "has the filter {} instead of {count: {$gt: 0}}",
		`{"v": 2, "key": {"pending": 1}, "name": "pending"}`:                                                                    "has sparse: false instead of true",
		`{"v": 2, "key": {"pending": 1}, "name": "pending", "sparse": true, "hidden": true}`:                                    "is hidden",
		`{"v": 2, "key": {"pending": 1}, "name": "pending", "sparse": true, "collation": {"locale": "en", "caseLevel": false}}`: `has the collation "en"`,
	} {
		err := mongostore.CheckFeedIndexes([]bson.Raw{raw(t, described)})
		if problem == "" {
			require.NoError(t, err, described)
		} else {
			require.ErrorContains(t, err, problem)
		}
	}
}

func TestOldServersAreRefused(t *testing.T) {
	t.Parallel()
	require.NoError(t, mongostore.CheckHello(raw(t, `{"isWritablePrimary": true, "maxWireVersion": 13}`)))
	err := mongostore.CheckHello(raw(t, `{"isWritablePrimary": true, "maxWireVersion": 9}`))
	require.ErrorContains(t, err, "wire version 9, the store needs 13: upgrade to MongoDB 5.0")
}
