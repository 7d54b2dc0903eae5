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

// checkPlans asks the server for its plans of a page and of a union.
func (s *FeedStore[T]) checkPlans(ctx context.Context) error {
	if err := s.checkPlan(ctx, "a page", "feed"); err != nil {
		return err
	}
	return s.checkPlan(ctx, "a union", oneOf([]string{"feed", "other"}))
}

func (s *FeedStore[T]) checkPlan(ctx context.Context, what string, feed any) error {
	page := bson.D{
		{Key: "find", Value: s.items.Name()},
		{Key: "filter", Value: itemsOf(feed, newest)},
		{Key: "sort", Value: newestFirst()},
		{Key: "limit", Value: 1},
		{Key: "hint", Value: feedIndex},
	}
	var plan bson.D
	err := s.db.RunCommand(ctx, bson.D{{Key: "explain", Value: page}, {Key: "verbosity", Value: "queryPlanner"}}).Decode(&plan)
	if err != nil {
		return fmt.Errorf("explain %s: %w", what, err)
	}
	if stages := stagesOf(plan); slices.ContainsFunc(stages, isSort) || len(stages) == 0 {
		return fmt.Errorf("%w: the plan of %s of %s is %q", ErrSorts, what, s.items.Name(), stages)
	}
	return nil
}

// isSort reports whether a stage sorts: SORT of MongoDB, Sort and Incremental Sort of PostgreSQL. SORT_MERGE and
// SHARD_MERGE_SORT merge sorted results.
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
