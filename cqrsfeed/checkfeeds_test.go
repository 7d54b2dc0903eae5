package cqrsfeed_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

func TestCheckFeedsRefusesWhatNoStoreApplies(t *testing.T) {
	t.Parallel()
	check := cqrsfeed.CheckFeeds(func(item cqrsfeed.Item[[]string]) []string {
		if item.Body[0] == "panic" {
			panic("no idea")
		}
		return item.Body
	})
	item := func(feeds ...string) cqrsfeed.Item[[]string] {
		return cqrsfeed.Item[[]string]{ID: "one", Version: 1, Body: feeds}
	}
	require.NoError(t, check(item("go", "sql", "go")))
	err := check(item("go", ""))
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, `feeds of item "one": `)
	err = check(item("panic"))
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, "no idea")
	many := strings.Split(strings.Repeat("x", limits.MaxFeeds+1), "")
	require.NoError(t, check(item(many...)), "each feed counts once")
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	require.ErrorIs(t, check(item(many...)), cqrsfeed.ErrInvalid)

	deleted := item("panic")
	deleted.Deleted = true
	assert.NoError(t, check(deleted), "a deleted item has no feeds")
}
