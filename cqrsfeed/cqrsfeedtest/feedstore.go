package cqrsfeedtest

import (
	"testing"

	"github.com/feedmill/feedmill/cqrsfeed"
)

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
		"random":      randomBehaviours(),
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
