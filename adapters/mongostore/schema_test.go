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

func TestCollationsAreRefused(t *testing.T) {
	t.Parallel()
	for options, fine := range map[string]bool{
		`{}`: true, `{"capped": true}`: true, `{"collation": {"locale": "simple"}}`: true,
		`{"collation": {"locale": "en", "strength": 2}}`: false,
	} {
		var raw bson.Raw
		require.NoError(t, bson.UnmarshalExtJSON([]byte(options), false, &raw))
		err := mongostore.CheckCollation(raw)
		if fine {
			require.NoError(t, err, options)
		} else {
			require.ErrorContains(t, err, `collection items has the collation "en"`)
		}
	}
}
