package mongostore_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// mostCommands is more than any Apply of these tests sends.
const mostCommands = 30

// scene is a history in which one delivery is cut off.
type scene struct {
	before, cut, between, after [][]change
	versions                    map[string]map[string]int64 // by feed and item, in the end
	announced                   []string                    // at least, by the deliveries after the cut
}

func scenes() map[string]scene {
	deleted := state("x", 3)
	deleted.Item.Deleted = true
	v1, v2, v3 := state("x", 1, "a", "b"), state("x", 2, "b", "c"), state("x", 3, "c", "d")
	return map[string]scene{
		"a first version": {
			cut: [][]change{{v1}}, after: [][]change{{v1}},
			versions:  map[string]map[string]int64{"a": {"x": 1}, "b": {"x": 1}},
			announced: []string{"a", "b"},
		},
		"an update that changes feeds": {
			before: [][]change{{v1}}, cut: [][]change{{v2}}, after: [][]change{{v2}},
			versions:  map[string]map[string]int64{"a": {}, "b": {"x": 2}, "c": {"x": 2}},
			announced: []string{"a", "b", "c"},
		},
		"a delete": {
			before: [][]change{{v1}, {v2}}, cut: [][]change{{deleted}}, after: [][]change{{deleted}},
			versions:  map[string]map[string]int64{"a": {}, "b": {}, "c": {}},
			announced: []string{"b", "c"},
		},
		"an update that a newer one passes": {
			before: [][]change{{v1}}, cut: [][]change{{v2}}, between: [][]change{{v3}}, after: [][]change{{v2}},
			versions:  map[string]map[string]int64{"a": {}, "b": {}, "c": {"x": 3}, "d": {"x": 3}},
			announced: []string{"a", "b", "c"},
		},
		"a first version that a delete passes": {
			cut: [][]change{{v1}}, between: [][]change{{deleted}}, after: [][]change{{v1}},
			versions:  map[string]map[string]int64{"a": {}, "b": {}},
			announced: []string{"a", "b"},
		},
		"an old version while the item comes back to its feed": {
			before: [][]change{{v1}, {state("x", 2, "c")}}, cut: [][]change{{v1}},
			between: [][]change{{state("x", 3, "a")}}, after: [][]change{{v1}},
			versions:  map[string]map[string]int64{"a": {"x": 3}, "b": {}, "c": {}},
			announced: []string{"a", "b"},
		},
		"a newest version before the older ones": {
			cut: [][]change{{v3}}, after: [][]change{{v1}, {v2}, {v3}},
			versions:  map[string]map[string]int64{"a": {}, "b": {}, "c": {"x": 3}, "d": {"x": 3}},
			announced: []string{"c", "d"},
		},
		"an old version, and then all in one batch": {
			cut: [][]change{{v1}}, between: [][]change{{v3}}, after: [][]change{{v2, v1, v3}},
			versions:  map[string]map[string]int64{"a": {}, "b": {}, "c": {"x": 3}, "d": {"x": 3}},
			announced: []string{"a", "b", "c", "d"},
		},
		"a batch of several items": {
			before:    [][]change{{v1, state("y", 1, "a")}},
			cut:       [][]change{{v2, state("y", 2, "d"), state("z", 1, "a", "d")}},
			after:     [][]change{{v2, state("y", 2, "d")}, {state("z", 1, "a", "d")}},
			versions:  map[string]map[string]int64{"a": {"z": 1}, "b": {"x": 2}, "c": {"x": 2}, "d": {"y": 2, "z": 1}},
			announced: []string{"a", "b", "c", "d"},
		},
	}
}

// TestCrashAtEveryCommand ends a worker after each of its commands in turn. Other workers and the redelivery must then
// make items, counts, versions and announcements right. In the last turn Apply comes to its end
// and only the announcements are lost.
func TestCrashAtEveryCommand(t *testing.T) {
	t.Parallel()
	for name, scene := range scenes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uri, watched := servers.Mongo(t), &commands{}
			healthyDB, watchedDB := connect(t, uri, nil), connect(t, uri, watched.monitor())
			for n := 1; ; n++ {
				require.Less(t, n, mostCommands)
				config := mongostore.FeedStoreConfig{Name: fmt.Sprintf("after%d", n)}
				healthy, doomed := open(t, healthyDB, config), reopen(t, watchedDB, config)
				deliver(t, healthy, scene.before)
				crashed := false
				for _, batch := range scene.cut {
					_, err := doomed.Apply(watched.crashAfter(t, n), batch)
					crashed = crashed || err != nil
				}
				requireNoneTwice(t, healthy, scene)
				deliver(t, healthy, scene.between)
				announced := deliver(t, healthy, scene.after)
				for _, feed := range scene.announced {
					page, err := healthy.Page(t.Context(), feed, "", 1)
					require.NoError(t, err)
					if page.Feed.Revision > 0 { // a feed that nothing was ever in need not be announced
						require.Contains(t, announced, feed, "crash after command %d of %v", n, watched.sent())
					}
				}
				requireEnd(t, healthy, scene, fmt.Sprintf("crash after command %d of %v", n, watched.sent()))
				if !crashed {
					return
				}
			}
		})
	}
}

// TestWorkerHeldAtEveryCommand holds a worker before each of its commands in turn, while another applies
// what comes between and after. The held worker then goes on. Nothing is delivered again.
func TestWorkerHeldAtEveryCommand(t *testing.T) {
	t.Parallel()
	atEveryCommand(t, func(t *testing.T, h heldWorker) {
		t.Helper()
		h.resume()
		result := <-h.applied
		require.NoError(t, result.err)
		requireEnd(t, h.healthy, h.scene, h.when)
	})
}

// TestWorkerHeldAtEveryCommandThenDies lets the held worker's command through as the last that it sends. Everything was
// acknowledged before, so nothing is delivered again.
func TestWorkerHeldAtEveryCommandThenDies(t *testing.T) {
	t.Parallel()
	atEveryCommand(t, func(t *testing.T, h heldWorker) {
		t.Helper()
		h.watched.crashAt(h.command, h.die)
		h.resume()
		result := <-h.applied
		t.Logf("%s, the worker ended with: %v", h.when, result.err) // or without, if this was its last command
		requireEnd(t, h.healthy, h.scene, h.when)
	})
}

// heldWorker is a worker that is held before one of its commands. All others are through.
type heldWorker struct {
	holding

	scene   scene
	command int
	healthy *store
	watched *commands
	when    string
}

func atEveryCommand(t *testing.T, test func(t *testing.T, h heldWorker)) {
	t.Helper()
	for name, scene := range scenes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uri, watched := servers.Mongo(t), &commands{}
			healthyDB, watchedDB := connect(t, uri, nil), connect(t, uri, watched.monitor())
			for n := 1; ; n++ {
				require.Less(t, n, mostCommands)
				config := mongostore.FeedStoreConfig{Name: fmt.Sprintf("at%d", n)}
				healthy, held := open(t, healthyDB, config), reopen(t, watchedDB, config)
				deliver(t, healthy, scene.before)

				worker := hold(t, held, watched, n, scene.cut[0])
				if !worker.reached {
					return // there is no such command
				}
				deliver(t, healthy, scene.between)
				deliver(t, healthy, scene.after)
				settled(t, healthy)
				test(t, heldWorker{
					holding: worker, scene: scene, command: n, healthy: healthy, watched: watched,
					when: fmt.Sprintf("held before command %d of %v", n, watched.sent()),
				})
			}
		})
	}
}

// deliver applies batches and returns what was announced.
func deliver(t *testing.T, s *store, batches [][]change) map[string]int64 {
	t.Helper()
	announced := make(map[string]int64)
	for _, batch := range batches {
		updated, err := s.Apply(t.Context(), batch)
		require.NoError(t, err)
		for _, u := range updated {
			announced[u.Feed] = u.Revision
		}
	}
	return announced
}

func requireEnd(t *testing.T, s *store, scene scene, when string) {
	t.Helper()
	requireVersions(t, s, scene.versions, when)
	highest := make(map[string]int64)
	for _, batches := range [][][]change{scene.before, scene.cut, scene.between, scene.after} {
		for _, batch := range batches {
			for _, c := range batch {
				highest[c.Item.ID] = max(highest[c.Item.ID], c.Item.Version)
			}
		}
	}
	for id, want := range highest {
		version, err := s.ItemVersion(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want, version, "version of item %q, %s", id, when)
	}
}

// requireVersions compares the items of feeds and the counts.
func requireVersions(t *testing.T, s *store, want map[string]map[string]int64, when string) {
	t.Helper()
	counts := make(map[string]int64)
	for feed, items := range want {
		require.Equal(t, items, versions(t, s, feed), "feed %q, %s", feed, when)
		if len(items) > 0 {
			counts[feed] = int64(len(items))
		}
	}
	require.Equal(t, counts, settled(t, s), "counts, %s", when)
}

// requireNoneTwice shows that even before the redelivery no page has an item twice.
func requireNoneTwice(t *testing.T, s *store, scene scene) {
	t.Helper()
	for feed := range scene.versions {
		page, err := s.Page(t.Context(), feed, "", limits.MaxPageLimit)
		require.NoError(t, err)
		seen := make(map[string]bool)
		for _, item := range page.Items {
			require.False(t, seen[item.ID], "item %q is in feed %q twice", item.ID, feed)
			seen[item.ID] = true
		}
	}
}
