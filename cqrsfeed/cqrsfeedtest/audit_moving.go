package cqrsfeedtest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/feedmodel"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

func auditCorrect(t *testing.T, fixture AuditFixture) {
	from := newWriteModel(manyItems(1100)...)
	apply(t, fixture.Store, manyItems(1100)...)
	feedmodel.Recount(t, fixture.Store)
	config := auditConfig(from, fixture.Store)
	config.BatchSize, config.Repair = 0, true
	config.Drift = func(d readmodel.Drift) { assert.Fail(t, d.String()) }
	summary, err := readmodel.Audit(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, readmodel.AuditSummary{Items: 1100, Feeds: 8}, summary)
}

// auditUnderWay applies an event between the two checks.
func auditUnderWay(t *testing.T, fixture AuditFixture) {
	store, from := &tapped{Store: fixture.Store}, newWriteModel(manyItems(5)...)
	apply(t, store, manyItems(5)...)
	late := state("post-0001", 2, 1, "late")
	from.put(late)
	var once sync.Once
	store.afterStoredItems = func() { once.Do(func() { apply(t, store, late) }) }
	config := auditConfig(from, store)
	config.Drift = func(d readmodel.Drift) { assert.Fail(t, d.String()) }
	summary, err := readmodel.Audit(t.Context(), config)
	require.NoError(t, err)
	require.Zero(t, summary.Drifts)
	require.Zero(t, summary.Unsettled)
}

// auditUnsettled changes an item after every check of it, and never applies that.
func auditUnsettled(t *testing.T, fixture AuditFixture) {
	store, from := &tapped{Store: fixture.Store}, newWriteModel(manyItems(5)...)
	apply(t, store, manyItems(5)...)
	version := int64(1)
	store.afterStoredItems = func() {
		version++
		from.put(state("post-0001", version, 1, "late"))
	}
	store.afterStoredItems()
	config := auditConfig(from, store)
	config.Repair = true
	config.Drift = func(d readmodel.Drift) { assert.Fail(t, d.String()) }
	summary, err := readmodel.Audit(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, int64(1), summary.Unsettled)
}

// auditBesideEvents repairs much damage while items are written, damaged ones among them.
func auditBesideEvents(t *testing.T, fixture AuditFixture) {
	store, from := fixture.Store, newWriteModel(manyItems(200)...)
	apply(t, store, manyItems(200)...)
	for i := range 60 {
		id := fmt.Sprintf("post-%04d", i)
		switch i % 10 {
		case 0:
			fixture.Break(t, Damage{Kind: ItemFeeds, Item: id, Feeds: []string{}})
		case 1:
			fixture.Break(t, Damage{Kind: ItemBody, Item: id})
		case 2:
			fixture.Break(t, Damage{Kind: ItemGone, Item: id})
		case 5:
			fixture.Break(t, Damage{Kind: ItemVersion, Item: id, Number: 99})
		case 6:
			fixture.Break(t, Damage{Kind: ItemFeeds, Item: id, Feeds: []string{"all", "strays"}})
		case 7:
			from.remove(id)
		}
	}
	fixture.Break(t, Damage{Kind: CountWrong, Feed: "all", Number: 12345})

	config := auditConfig(from, store)
	config.Repair = true
	stopped := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := range 400 {
				select {
				case <-stopped:
					return
				default:
				}
				n := (i*37 + w) % 200
				if n%10 == 7 || n%10 == 5 {
					continue // unknown to the write model, or to be taken back
				}
				c := state(fmt.Sprintf("post-%04d", n), int64(100+2*i+w), n, "all", fmt.Sprintf("live-%d", i%3))
				from.put(c)
				assert.NoError(t, applyUntilDone(t.Context(), store, []change{c}))
			}
		})
	}
	_, err := readmodel.Audit(t.Context(), config)
	close(stopped)
	writers.Wait()
	require.NoError(t, err)
	feedmodel.Recount(t, store)
	_, err = readmodel.Audit(t.Context(), config) // what was unsettled
	require.NoError(t, err)
	feedmodel.Require(t, store, from.model("strays", "live-0", "live-1", "live-2"))
}

// auditOtherFeeds has a store follow a new FeedsOf.
func auditOtherFeeds(t *testing.T, fixture AuditFixture) {
	items := []change{state("x", 1, 1, "a", "b"), state("y", 3, 2, "b"), tombstone("z", 2, 3)}
	from := newWriteModel(items...)
	apply(t, fixture.Store, items...)
	config := auditConfig(from, fixture.Store)
	config.Repair = true
	config.FeedsOf = func(item cqrsfeed.Item[Body]) []string { return append(tagsOf(item)[1:], "new-"+item.ID) }
	summary, err := readmodel.Audit(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, int64(2), summary.Repaired)
	items[0].Feeds, items[1].Feeds = []string{"b", "new-x"}, []string{"new-y"}
	want := feedmodel.Fold(items)
	want["a"] = nil
	feedmodel.Require(t, fixture.Store, want)
}

// auditStale repairs by what was seen before a newer version was applied, which must stay as it is.
func auditStale(t *testing.T, fixture AuditFixture) {
	store := fixture.Store
	v1, v2 := state("x", 1, 1, "a", "b"), state("x", 2, 1, "b", "c")
	apply(t, store, v1)
	seen, err := store.StoredItems(t.Context(), []string{"x", "nobody"})
	require.NoError(t, err)
	require.Len(t, seen, 1)
	apply(t, store, v2)

	_, err = store.Restate(t.Context(), []readmodel.Restatement[Body]{{Seen: seen[0], Change: v1}})
	require.NoError(t, err)
	_, err = store.Restate(t.Context(), []readmodel.Restatement[Body]{{Change: v1}})
	require.NoError(t, err)
	_, err = store.Forget(t.Context(), seen)
	require.NoError(t, err)
	feedmodel.Require(t, store, feedmodel.Fold([]change{v1, v2}))

	_, err = store.Restate(t.Context(), []readmodel.Restatement[Body]{{Seen: seen[0], Change: state("x", 3, 1, "")}})
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
}

// auditUnknown restates an item that the store does not know, and again by what was seen then.
func auditUnknown(t *testing.T, fixture AuditFixture) {
	v1, v2 := state("x", 1, 1, "a"), state("x", 2, 1, "b")
	for _, c := range []change{v2, v1} {
		_, err := fixture.Store.Restate(t.Context(), []readmodel.Restatement[Body]{{Change: c}})
		require.NoError(t, err)
		feedmodel.Require(t, fixture.Store, feedmodel.Fold([]change{v1, v2}))
	}
	_, err := fixture.Store.Forget(t.Context(), []readmodel.StoredItem{{ID: "nobody", Version: 1}})
	require.NoError(t, err)
}
