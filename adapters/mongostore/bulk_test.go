package mongostore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

func TestLosersAreNoErrors(t *testing.T) {
	t.Parallel()
	lost, err := mongostore.Losers(nil)
	require.NoError(t, err)
	require.Empty(t, lost)

	lost, err = mongostore.Losers(fmt.Errorf("wrapped: %w", failures(7, 11000, 2, 11000)))
	require.NoError(t, err)
	require.Equal(t, []int{2, 7}, lost, "in ascending order")
}

func TestEverythingElseIsAnError(t *testing.T) {
	t.Parallel()
	concern := failures(1, 11000)
	concern.WriteConcernError = &mongo.WriteConcernError{Code: 64, Message: "not on a majority"}
	for name, failure := range map[string]error{
		"another code":       failures(1, 121),
		"another code among": failures(1, 11000, 2, 50),
		"write concern":      concern,
		"nothing named":      mongo.BulkWriteException{},
		"context":            context.Canceled,
		"command":            mongo.CommandError{Code: 11000, Message: "not a bulk"},
		"network, say":       errors.New("connection reset"),
	} {
		lost, err := mongostore.Losers(failure)
		require.Equal(t, failure, err, name)
		require.Empty(t, lost, name)
	}
}

// failures returns a bulk exception from pairs of index and code.
func failures(pairs ...int) mongo.BulkWriteException {
	var e mongo.BulkWriteException
	for i := 0; i < len(pairs); i += 2 {
		e.WriteErrors = append(e.WriteErrors, mongo.BulkWriteError{WriteError: mongo.WriteError{Index: pairs[i], Code: pairs[i+1]}})
	}
	return e
}

func TestBulksAreCut(t *testing.T) {
	t.Parallel()
	require.Empty(t, mongostore.BulkSizes(nil))
	require.Equal(t, []int{3}, mongostore.BulkSizes([]int{1, 2, 3}))

	many := make([]int, 2*mongostore.MaxBulkWrites+1)
	require.Equal(t, []int{mongostore.MaxBulkWrites, mongostore.MaxBulkWrites, 1}, mongostore.BulkSizes(many))

	const half = mongostore.MaxBulkBytes / 2
	require.Equal(t, []int{2, 1}, mongostore.BulkSizes([]int{half, half, half}))
	require.Equal(t, []int{1, 1, 1}, mongostore.BulkSizes([]int{1, 3 * half, 1}), "one over the limit goes alone")
}

// TestNamesOfOneCommandAreBounded: the longest names fit into a bulk, although only their number is limited.
func TestNamesOfOneCommandAreBounded(t *testing.T) {
	t.Parallel()
	const overhead = 16
	require.Less(t, mongostore.NamesAtOnce*(limits.MaxFeedLength+overhead), mongostore.MaxBulkBytes)
}

// TestAPanicOfAStepIsItsCallers: a step decodes bodies, which is the application's code.
func TestAPanicOfAStepIsItsCallers(t *testing.T) {
	t.Parallel()
	ended := false
	require.PanicsWithValue(t, "a bug", func() {
		_ = mongostore.Together(t.Context(),
			func(context.Context) error { panic("a bug") },
			func(context.Context) error { ended = true; return nil })
	})
	require.True(t, ended)
}
