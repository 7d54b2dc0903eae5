package cqrsfeedtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

type change = cqrsfeed.FeedChange[Body]

// epoch is when the suite's items begin, with microseconds that a store must not lose.
var epoch = time.Date(2024, time.March, 1, 12, 0, 0, 123_457_000, time.UTC) //nolint:gochecknoglobals // a constant

// state is version of an item that was created minutes after the epoch, in feeds.
func state(id string, version int64, minutes int, feeds ...string) change {
	created := epoch.Add(time.Duration(minutes) * time.Minute)
	return change{
		Item: cqrsfeed.Item[Body]{
			ID: id, Version: version, CreatedAt: created,
			UpdatedAt: created.Add(time.Duration(version-1) * time.Second),
			Body:      Body{Text: fmt.Sprintf("%s as of %d", id, version), Tags: append([]string{}, feeds...)},
		},
		Feeds: feeds,
	}
}

// tombstone is the version that deletes an item.
func tombstone(id string, version int64, minutes int) change {
	c := state(id, version, minutes)
	c.Item.Deleted = true
	return c
}

// apply applies a batch that has to succeed and returns the announced revisions by feed.
func apply(t *testing.T, store cqrsfeed.FeedStore[Body], batch ...change) map[string]int64 {
	t.Helper()
	updated, err := store.Apply(t.Context(), batch)
	require.NoError(t, err)
	revisions := make(map[string]int64, len(updated))
	for _, u := range updated {
		require.NotContains(t, revisions, u.Feed, "a feed is announced once")
		revisions[u.Feed] = u.Revision
	}
	return revisions
}
