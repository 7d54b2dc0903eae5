// Package feedtest has the conformance suite of cqrsfeed.FeedStore:
//
//	func TestFeedStore(t *testing.T) {
//		feedtest.TestFeedStore(t, func(t *testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body] { return openEmpty(t) })
//	}
package feedtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

type feedStore = cqrsfeed.FeedStore[model.Body]

// behaviour tests a store that is empty.
type behaviour = func(t *testing.T, store feedStore)

// TestFeedStore tests that a store keeps the contract of cqrsfeed.FeedStore. open is called for every behaviour and
// must return an empty store.
func TestFeedStore(t *testing.T, open func(t *testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body]) {
	for name, behaviours := range map[string]map[string]behaviour{
		"apply":       applyBehaviours(),
		"tags":        tagBehaviours(),
		"idempotence": idempotenceBehaviours(),
		"order":       orderBehaviours(),
		"withheld":    withheldBehaviours(),
		"rules":       ruleBehaviours(),
		"paging":      pagingBehaviours(),
		"counts":      countBehaviours(),
		"names":       nameBehaviours(),
		"invalid":     invalidBehaviours(),
		"values":      valueBehaviours(),
		"bodies":      bodyBehaviours(),
		"concurrency": concurrencyBehaviours(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for name, behaviour := range behaviours {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					behaviour(t, open(t))
				})
			}
		})
	}
}

// longNames returns n names of feeds of the maximal length that repeat a character.
func longNames(character string, n int) []string {
	names := make([]string, n)
	for i := range names {
		end := strconv.Itoa(i)
		names[i] = strings.Repeat(character, limits.MaxFeedLength-len(end)) + end
	}
	return names
}

// requireAnyOrder applies a history in every order, each to an item of its own and in batches of that size, and requires that
// all end the same.
func requireAnyOrder(t *testing.T, store feedStore, history []model.Change, size int) {
	t.Helper()
	var all []model.Change
	for i, order := range permutations(history) {
		for j := range order {
			order[j].Item.ID = fmt.Sprintf("post-%02d", i)
		}
		for batch := range slices.Chunk(order, size) {
			model.Apply(t, store, batch...)
		}
		all = append(all, order...)
	}
	model.Require(t, store, model.Fold(all))
}

// permutations returns all orders of values.
func permutations[V any](values []V) [][]V {
	if len(values) <= 1 {
		return [][]V{slices.Clone(values)}
	}
	var all [][]V
	for i := range values {
		rest := slices.Delete(slices.Clone(values), i, i+1)
		for _, tail := range permutations(rest) {
			all = append(all, append([]V{values[i]}, tail...))
		}
	}
	return all
}

// numbered returns items that were created one minute after the other.
func numbered(n int, feeds ...string) []model.Change {
	batch := make([]model.Change, 0, n)
	for i := range n {
		batch = append(batch, model.State(fmt.Sprintf("post-%03d", i), 1, i, feeds...))
	}
	return batch
}
