package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// checkPlan asks the server for its plan of a page.
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

// isSort reports whether a stage sorts: SORT of MongoDB, Sort and Incremental Sort of PostgreSQL. SHARD_MERGE_SORT
// merges sorted results.
func isSort(stage string) bool {
	stage = strings.ToUpper(stage)
	return strings.HasSuffix(stage, "SORT") && stage != "SHARD_MERGE_SORT"
}

// stagesOf returns the names of the stages of a plan, in the form of MongoDB or PostgreSQL. It omits the stages of
// rejected plans.
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

// missingIndex wraps the error of a missing index in one that names EnsureSchema.
func missingIndex(index string, err error) error {
	var command mongo.CommandError
	if errors.As(err, &command) && command.Code == codeBadValue && strings.Contains(command.Message, "hint") {
		return fmt.Errorf("index %s is missing, EnsureSchema creates it: %w", index, err)
	}
	return err
}
