package mongostore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

type change = cqrsfeed.FeedChange[string]

func state(id string, version int64, body string, feeds ...string) change {
	return change{Item: cqrsfeed.Item[string]{ID: id, Version: version, Body: body, CreatedAt: time.Unix(0, 0)}, Feeds: feeds}
}

func TestPlanTakesTheHighestVersionAndRemembersTheOthers(t *testing.T) {
	t.Parallel()
	deleted := state("b", 4, "gone", "x")
	deleted.Item.Deleted = true
	plans, err := mongostore.PlanItems([]change{
		state("b", 3, "b3", "x", "y"), state("a", 2, "a2", "r", "q", "q"), state("a", 1, "a1", "p", "q"),
		deleted, state("a", 2, "a2", "q", "r"), state("a", 3, "a3", "s"), state("b", 1, "b1", "z"),
	})
	require.NoError(t, err)
	require.Equal(t, []mongostore.Plan{
		{ID: "a", Version: 3, Own: []string{"s"}, Others: []string{"p", "q", "r"}, Body: `"a3"`},
		{ID: "b", Version: 4, Own: []string{}, Others: []string{"x", "y", "z"}, Body: `"gone"`},
	}, plans)
}

func TestPlanJoinsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := mongostore.PlanItems([]change{state("", 1, ""), state("ok", 1, "fine", "a"), state("bad", 0, ""), state("feed", 1, "", "a\x00")})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	for _, problem := range []string{"item id is empty", `version 0 of item "bad"`, `feeds of item "feed"`} {
		require.ErrorContains(t, err, problem)
	}
}

func TestPlanRefusesBodiesThatNoDocumentHolds(t *testing.T) {
	t.Parallel()
	_, err := mongostore.PlanItems([]change{state("huge", 1, strings.Repeat("x", mongostore.MaxBodyBytes))})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, `body of item "huge"`)

	_, err = mongostore.PlanItems([]cqrsfeed.FeedChange[func()]{{Item: cqrsfeed.Item[func()]{ID: "func", Version: 1, Body: func() {}}}})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, `body of item "func"`)
}
