package readmodeltest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// rebuildBesideEvents rebuilds while workers change items and apply the changes.
func rebuildBesideEvents(t *testing.T, store readModel) {
	from := model.NewWriteModel(model.ManyItems(200)...)
	model.Apply(t, store, model.State("post-0100a", 3, 0, "orphans"), model.State("zz", 3, 0, "orphans"))
	writers := from.ChangeMeanwhile(60, func(c model.Change) {
		assert.NoError(t, model.ApplyUntilDone(t.Context(), store, []model.Change{c}))
	})
	config := rebuildConfig(from, store)
	config.BatchSize = 10
	_, err := readmodel.Rebuild(t.Context(), config)
	writers.Wait()
	require.NoError(t, err)
	model.Require(t, store, from.Feeds("orphans", "live-0", "live-1", "live-2", "live-3"))
}

// rebuildComesMeanwhile creates and applies an item after the scan has passed its id.
func rebuildComesMeanwhile(t *testing.T, store readModel) {
	from := model.NewWriteModel(model.ManyItems(20)...)
	model.Apply(t, store, model.State("post-0000", 1, 0, "all", "tag-0")) // so that it is in use
	tapped := &tapped{Store: store}
	tapped.beforeForget = func(seen []readmodel.StoredItem) { assert.Failf(t, "taken for an orphan", "%v", seen) }
	from.OnScan = func(n int) {
		if n == 1 {
			created := model.State("post-0005a", 1, 3, "all", "late")
			from.Put(created)
			model.Apply(t, store, created)
		}
	}
	model.Rebuild(t, rebuildConfig(from, tapped))
	model.Require(t, store, from.Feeds())
}

// rebuildTakesID creates an item with the id of an orphan just before the orphan is removed. The orphan has a higher version,
// so the item's event is taken for stale.
func rebuildTakesID(t *testing.T, store readModel) {
	from := model.NewWriteModel(model.ManyItems(20)...)
	model.Apply(t, store, model.State("post-0005a", 5, 0, "old"))
	tapped := &tapped{Store: store}
	tapped.beforeForget = func([]readmodel.StoredItem) {
		created := model.State("post-0005a", 1, 3, "all", "late")
		from.Put(created)
		model.Apply(t, store, created)
	}
	model.Rebuild(t, rebuildConfig(from, tapped))
	model.Require(t, store, from.Feeds("old"))
}

// auditUnderWay applies an event between the two checks.
func auditUnderWay(t *testing.T, fixture AuditFixture) {
	store, from := &tapped{Store: fixture.Store}, model.NewWriteModel(model.ManyItems(5)...)
	model.Apply(t, store, model.ManyItems(5)...)
	late := model.State("post-0001", 2, 1, "late")
	from.Put(late)
	var once sync.Once
	store.afterStoredItems = func() { once.Do(func() { model.Apply(t, store, late) }) }
	config := auditConfig(from, store)
	config.Drift = func(d readmodel.Drift) { assert.Fail(t, d.String()) }
	summary := model.Audit(t, config)
	require.Zero(t, summary.Drifts)
	require.Zero(t, summary.Unsettled)
}

// auditUnsettled changes an item after every check of it, and never applies that.
func auditUnsettled(t *testing.T, fixture AuditFixture) {
	store, from := &tapped{Store: fixture.Store}, model.NewWriteModel(model.ManyItems(5)...)
	model.Apply(t, store, model.ManyItems(5)...)
	version := int64(1)
	store.afterStoredItems = func() {
		version++
		from.Put(model.State("post-0001", version, 1, "late"))
	}
	store.afterStoredItems()
	config := auditConfig(from, store)
	config.Repair = true
	config.Drift = func(d readmodel.Drift) { assert.Fail(t, d.String()) }
	summary := model.Audit(t, config)
	require.Equal(t, int64(1), summary.Unsettled)
}

// auditBesideEvents repairs much damage while items are written, damaged ones among them.
func auditBesideEvents(t *testing.T, fixture AuditFixture) {
	store, from := fixture.Store, model.NewWriteModel(model.ManyItems(200)...)
	model.Apply(t, store, model.ManyItems(200)...)
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
			from.Remove(id)
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
				c := model.State(fmt.Sprintf("post-%04d", n), int64(100+2*i+w), n, "all", fmt.Sprintf("live-%d", i%3))
				from.Put(c)
				assert.NoError(t, model.ApplyUntilDone(t.Context(), store, []model.Change{c}))
			}
		})
	}
	_, err := readmodel.Audit(t.Context(), config)
	close(stopped)
	writers.Wait()
	require.NoError(t, err)
	model.Recount(t, store)
	model.Audit(t, config) // what was unsettled
	model.Require(t, store, from.Feeds("strays", "live-0", "live-1", "live-2"))
}
