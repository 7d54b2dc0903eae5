package cqrsfeedtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
)

// Body is the application value that the suites store.
type Body = feedmodel.Body

// openFeedStore opens an empty store that lives until the test ends.
type openFeedStore func(t *testing.T) cqrsfeed.FeedStore[Body]

// TestFeedStore tests that a store keeps the contract of cqrsfeed.FeedStore. open is called for every behaviour and
// must return an empty store.
func TestFeedStore(t *testing.T, open func(t *testing.T) cqrsfeed.FeedStore[Body]) {
	for name, behaviours := range map[string]map[string]func(*testing.T, openFeedStore){
		"apply":       applyBehaviours(),
		"tags":        tagBehaviours(),
		"idempotence": idempotenceBehaviours(),
		"order":       orderBehaviours(),
		"paging":      pagingBehaviours(),
		"counts":      countBehaviours(),
		"names":       nameBehaviours(),
		"invalid":     invalidBehaviours(),
		"values":      valueBehaviours(),
		"concurrency": concurrencyBehaviours(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for name, behaviour := range behaviours {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					behaviour(t, open)
				})
			}
		})
	}
}

type change = feedmodel.Change

// state is feedmodel.State.
func state(id string, version int64, minutes int, feeds ...string) change {
	return feedmodel.State(id, version, minutes, feeds...)
}

// tombstone is feedmodel.Tombstone.
func tombstone(id string, version int64, minutes int) change {
	return feedmodel.Tombstone(id, version, minutes)
}

// apply applies a batch that has to succeed and returns the announced revisions by feed.
func apply(t *testing.T, store cqrsfeed.FeedStore[Body], batch ...change) map[string]int64 {
	t.Helper()
	updated, err := store.Apply(t.Context(), batch)
	require.NoError(t, err)
	revisions := make(map[string]int64, len(updated))
	for _, u := range updated {
		revisions[u.Feed] = u.Revision
	}
	require.Len(t, revisions, len(updated), "a feed is announced once")
	return revisions
}
