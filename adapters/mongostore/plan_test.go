package mongostore_test

import (
	"strconv"
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

func TestPlanTakesTheHighestVersionAndRemembersTheFeedsOfOthers(t *testing.T) {
	t.Parallel()
	deleted := state("b", 4, "gone", "x")
	deleted.Item.Deleted = true
	plans, err := mongostore.PlanItems([]change{
		state("b", 3, "b3", "x", "y"), state("a", 2, "a2", "r", "q", "q"), state("a", 1, "a1", "p", "q"),
		deleted, state("a", 2, "a2", "q", "r"), state("a", 3, "a3", "s", "s"), state("b", 2, "b2", "z"),
	})
	require.NoError(t, err)
	require.Equal(t, []mongostore.Plan{
		{ID: "a", Version: 3, Feeds: []string{"s"}, Older: []string{"p", "q", "r", "s"}, Body: `"a3"`, First: true},
		{ID: "b", Version: 4, Older: []string{"x", "y", "z"}},
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

func TestPlanRefusesBodiesThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	_, err := mongostore.PlanItems([]cqrsfeed.FeedChange[func()]{{Item: cqrsfeed.Item[func()]{ID: "func", Version: 1, Body: func() {}}}})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, `item "func" version 1: invalid argument: encode body`)
}

func TestPastIsBounded(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"a", "c"}, mongostore.SettledPast([]string{"b"}, []string{"c"}, []string{"a", "b"}))
	var many []string
	for i := range 1000 {
		many = append(many, strconv.Itoa(i))
	}
	require.Equal(t, []string{"a"}, mongostore.SettledPast(nil, []string{"a"}, many), "the newest are kept")
}
