package mongostore_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// mostCommands is more than any Apply of these tests sends.
const mostCommands = 30

// scene is a history in which one delivery goes wrong.
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
			announced: []string{"a", "b", "c", "d"},
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

// TestCrashAtEveryCommand ends a worker after each of its commands in turn. What other workers and the
// redelivery then do must make everything right: entries, counts, versions and announcements. The last turn
// is the one in which Apply comes to its end and only the announcements are lost.
func TestCrashAtEveryCommand(t *testing.T) {
	t.Parallel()
	for name, scene := range scenes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uri, watched := servers.Mongo(t), &commands{}
			healthyDB, watchedDB := connect(t, uri, nil), connect(t, uri, watched.monitor())
			for n := 1; ; n++ {
				require.Less(t, n, mostCommands)
				config := mongostore.FeedStoreConfig{CollectionPrefix: fmt.Sprintf("after%d.", n)}
				healthy, doomed := open(t, healthyDB, config), open(t, watchedDB, config)
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
					require.Contains(t, announced, feed, "crash after command %d of %v", n, watched.sent())
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
// what comes between and after. The held worker then goes on; nothing is delivered again.
func TestWorkerHeldAtEveryCommand(t *testing.T) {
	t.Parallel()
	atEveryCommand(t, func(t *testing.T, h heldWorker) {
		t.Helper()
		h.resume()
		require.NoError(t, <-h.applied)
		requireEnd(t, h.healthy, h.scene, h.when)
	})
}

// TestWorkerHeldAtEveryCommandThenDies lets the held worker's command through as the last that it sends. What it
// wrote is found by the second look once that is due, and not before: the worker may be late by as much.
func TestWorkerHeldAtEveryCommandThenDies(t *testing.T) {
	t.Parallel()
	atEveryCommand(t, func(t *testing.T, h heldWorker) {
		t.Helper()
		h.watched.crashAt(h.command, h.die)
		h.resume()
		err := <-h.applied
		t.Logf("%s, the worker ended with: %v", h.when, err) // or without, if this was its last command
		h.config.SecondLook = 1
		later := open(t, h.db, h.config)
		settled(t, later)
		requireEnd(t, later, h.scene, h.when)
	})
}

// heldWorker is a worker that stands before one of its commands. All others are through.
type heldWorker struct {
	scene   scene
	command int
	config  mongostore.FeedStoreConfig
	db      *mongo.Database
	healthy *store
	watched *commands
	when    string
	resume  func()
	die     context.CancelFunc
	applied <-chan error
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
				config := mongostore.FeedStoreConfig{CollectionPrefix: fmt.Sprintf("at%d.", n)}
				healthy, held := open(t, healthyDB, config), open(t, watchedDB, config)
				deliver(t, healthy, scene.before)

				reached, resume := watched.holdBefore(t, n)
				ctx, die := context.WithCancel(t.Context())
				defer die()
				applied := make(chan error, 1)
				go func() {
					_, err := held.Apply(ctx, scene.cut[0])
					applied <- err
				}()
				select {
				case <-reached:
				case err := <-applied:
					require.NoError(t, err)
					return // there is no nth command
				}
				deliver(t, healthy, scene.between)
				deliver(t, healthy, scene.after)
				settled(t, healthy)
				test(t, heldWorker{
					scene: scene, command: n, config: config, db: healthyDB, healthy: healthy, watched: watched,
					when: fmt.Sprintf("held before command %d of %v", n, watched.sent()), resume: resume, die: die, applied: applied,
				})
			}
		})
	}
}

// TestApplyGivesUpBeforeTheSecondLook shows that a batch is not written to for longer than the look waits.
func TestApplyGivesUpBeforeTheSecondLook(t *testing.T) {
	t.Parallel()
	s := openFresh(t, mongostore.FeedStoreConfig{SecondLook: 2})
	_, err := s.Apply(t.Context(), []change{state("x", 1, "a")})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// beforeEntry is the command by which a worker writes the entry of a first version.
const beforeEntry = 2

// comeLate holds a worker before it writes an entry of item x into feed a. Others delete the item and acknowledge
// all there is. The worker then goes on and dies after its nth command.
func comeLate(t *testing.T, healthy, held *store, watched *commands, n int) error {
	t.Helper()
	deleted := state("x", 2)
	deleted.Item.Deleted = true
	reached, resume := watched.holdBefore(t, beforeEntry)
	ctx, die := context.WithCancel(t.Context())
	defer die()
	applied := make(chan error, 1)
	go func() {
		_, err := held.Apply(ctx, []change{state("x", 1, "a")})
		applied <- err
	}()
	<-reached
	deliver(t, healthy, [][]change{{state("y", 1, "a")}, {deleted}, {state("x", 1, "a")}})
	watched.crashAt(n, die)
	resume()
	return <-applied
}

// TestLateWorkerDiesAtEveryCommand lets a late worker go on for a while: it may count its entry, find itself
// overtaken, clear the entry away, and die before it says that the count has to be taken again.
func TestLateWorkerDiesAtEveryCommand(t *testing.T) {
	t.Parallel()
	uri, watched := servers.Mongo(t), &commands{}
	healthyDB, watchedDB := connect(t, uri, nil), connect(t, uri, watched.monitor())
	for n, died := beforeEntry, true; died; n++ {
		require.Less(t, n, mostCommands)
		config := mongostore.FeedStoreConfig{CollectionPrefix: fmt.Sprintf("late%d.", n)}
		healthy, held := open(t, healthyDB, config), open(t, watchedDB, config)
		died = comeLate(t, healthy, held, watched, n) != nil
		config.SecondLook = 1
		later := open(t, healthyDB, config)
		require.Equal(t, map[string]int64{"a": 1}, settled(t, later), "died after command %d of %v", n, watched.sent())
		require.Equal(t, map[string]int64{"y": 1}, versions(t, later, "a"), "died after command %d of %v", n, watched.sent())
	}
}

// TestCrashAtEveryCommandOfTheSecondLook ends Recount after each of its commands in turn while it clears an entry
// away that came late. Whoever read the feed with that entry has to see the revision grow.
func TestCrashAtEveryCommandOfTheSecondLook(t *testing.T) {
	t.Parallel()
	uri, watched := servers.Mongo(t), &commands{}
	healthyDB, watchedDB := connect(t, uri, nil), connect(t, uri, watched.monitor())
	for n, crashed := 1, true; crashed; n++ {
		require.Less(t, n, mostCommands)
		config := mongostore.FeedStoreConfig{CollectionPrefix: fmt.Sprintf("look%d.", n)}
		healthy, held := open(t, healthyDB, config), open(t, watchedDB, config)
		require.Error(t, comeLate(t, healthy, held, watched, beforeEntry))
		require.Len(t, versions(t, healthy, "a"), 2, "it came late")
		seen, err := healthy.Page(t.Context(), "a", "", 1)
		require.NoError(t, err)

		config.SecondLook = 1
		_, err = open(t, watchedDB, config).Recount(watched.crashAfter(t, n))
		crashed = err != nil
		require.Equal(t, map[string]int64{"a": 1}, settled(t, open(t, healthyDB, config)))
		page, err := healthy.Page(t.Context(), "a", "", 10)
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		require.Greater(t, page.Feed.Revision, seen.Feed.Revision, "crash after command %d of %v", n, watched.sent())
	}
}

// TestSecondLookIsTakenOnce counts what it costs: nothing for items that left no feed, and one look at those
// that did.
func TestSecondLookIsTakenOnce(t *testing.T) {
	t.Parallel()
	watched := &commands{}
	db := connect(t, servers.Mongo(t), watched.monitor())
	s, later := open(t, db, mongostore.FeedStoreConfig{}), open(t, db, mongostore.FeedStoreConfig{SecondLook: 1})
	deliver(t, s, [][]change{{state("x", 1, "a", "b"), state("y", 1, "a")}, {state("x", 2, "a"), state("y", 2, "a", "b")}})
	recount := func() []string {
		watched.forget()
		_, err := later.Recount(t.Context())
		require.NoError(t, err)
		return watched.sent()
	}
	require.Equal(t, []string{"find", "find", "update", "update", "find", "aggregate", "update"}, recount(),
		"due items, entries of x, mark counts, done; pending counts, count b, store")
	require.Equal(t, []string{"find", "find"}, recount())
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
	counts, highest := make(map[string]int64), make(map[string]int64)
	for feed, want := range scene.versions {
		require.Equal(t, want, versions(t, s, feed), "feed %q, %s", feed, when)
		if len(want) > 0 {
			counts[feed] = int64(len(want))
		}
	}
	require.Equal(t, counts, settled(t, s), "counts, %s", when)
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

// requireNoneTwice shows that even before the redelivery no page has an item twice.
func requireNoneTwice(t *testing.T, s *store, scene scene) {
	t.Helper()
	for feed := range scene.versions {
		page, err := s.Page(t.Context(), feed, "", cqrsfeed.MaxPageLimit)
		require.NoError(t, err)
		seen := make(map[string]bool)
		for _, item := range page.Items {
			require.False(t, seen[item.ID], "item %q is in feed %q twice", item.ID, feed)
			seen[item.ID] = true
		}
	}
}
