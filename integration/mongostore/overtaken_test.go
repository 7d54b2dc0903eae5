package mongostore_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// overtaking is a history in which a newer state of an item overtakes an older one.
type overtaking struct {
	before, held, newer []change
	versions            map[string]map[string]int64 // by feed and item, in the end
}

func overtakings() map[string]overtaking {
	deleted := state("x", 3)
	deleted.Item.Deleted = true
	return map[string]overtaking{
		"moves": {
			before: []change{state("x", 1, "a"), state("y", 1, "a", "b", "c")}, held: []change{state("x", 2, "b")}, newer: []change{state("x", 3, "c")},
			versions: map[string]map[string]int64{"a": {"y": 1}, "b": {"y": 1}, "c": {"x": 3, "y": 1}},
		},
		"back and forth": {
			before: []change{state("x", 1, "a")}, held: []change{state("x", 2, "b")}, newer: []change{state("x", 3, "a")},
			versions: map[string]map[string]int64{"a": {"x": 3}, "b": {}},
		},
		"a delete": {
			before: []change{state("x", 1, "a")}, held: []change{state("x", 2, "a", "b")}, newer: []change{deleted},
			versions: map[string]map[string]int64{"a": {}, "b": {}},
		},
		"a newer rule": {
			before: []change{state("x", 1, "a")}, held: []change{state("x", 2, "b")}, newer: []change{byNewRule(state("x", 2, "c"))},
			versions: map[string]map[string]int64{"a": {}, "b": {}, "c": {"x": 2}},
		},
		"a first version": {
			held: []change{state("x", 1, "a")}, newer: []change{state("x", 2, "b")},
			versions: map[string]map[string]int64{"a": {}, "b": {"x": 2}},
		},
	}
}

// byNewRule is a state that a newer rule placed.
func byNewRule(c change) change {
	c.Rule = 1
	return c
}

// TestCrashesOfNewerVersions holds a worker before each of its commands in turn, and meanwhile ends a worker with a newer
// version after each of its own. Then the held worker goes on and acknowledges. Only the newer version
// is delivered again. Followers who only read what is announced with a newer revision must have seen the end.
func TestCrashesOfNewerVersions(t *testing.T) {
	t.Parallel()
	for name, scene := range overtakings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uri, heldCommands, doomedCommands := servers.Mongo(t), &commands{}, &commands{}
			healthyDB, heldDB, doomedDB := connect(t, uri, nil), connect(t, uri, heldCommands.monitor()), connect(t, uri, doomedCommands.monitor())
			for holdAt, held := 1, true; held; holdAt++ {
				for crashAt, crashed := 1, true; held && crashed; crashAt++ {
					require.Less(t, holdAt+crashAt, 2*mostCommands)
					config := mongostore.FeedStoreConfig{Name: fmt.Sprintf("at%d.%d", holdAt, crashAt)}
					healthy := open(t, healthyDB, config)
					deliver(t, healthy, [][]change{scene.before})
					followers := follow(t, healthy, scene.versions)

					worker := hold(t, reopen(t, heldDB, config), heldCommands, holdAt, scene.held)
					if held = worker.reached; !held {
						break // there is no such command
					}
					_, err := reopen(t, doomedDB, config).Apply(doomedCommands.crashAfter(t, crashAt), scene.newer)
					crashed = err != nil
					followers.read(t)
					worker.resume()
					result := <-worker.applied
					require.NoError(t, result.err)
					followers.hear(t, result.updated)
					updated, err := healthy.Apply(t.Context(), scene.newer)
					require.NoError(t, err)
					followers.hear(t, updated)

					when := fmt.Sprintf("held before command %d of %v, crashed after command %d of %v",
						holdAt, heldCommands.sent(), crashAt, doomedCommands.sent())
					require.Equal(t, scene.versions, followers.versions, "what was told, %s", when)
					requireVersions(t, healthy, scene.versions, when)
				}
			}
		})
	}
}

// followers are readers of some feeds.
type followers struct {
	store     *store
	revisions map[string]int64
	versions  map[string]map[string]int64
}

func follow(t *testing.T, s *store, feeds map[string]map[string]int64) *followers {
	t.Helper()
	f := &followers{store: s, revisions: make(map[string]int64), versions: make(map[string]map[string]int64)}
	f.read(t, slices.Collect(maps.Keys(feeds))...)
	return f
}

// read reads feeds, or all of them if none is named.
func (f *followers) read(t *testing.T, feeds ...string) {
	t.Helper()
	if len(feeds) == 0 {
		feeds = slices.Collect(maps.Keys(f.versions))
	}
	for _, feed := range feeds {
		page, err := f.store.Page(t.Context(), feed, "", limits.MaxPageLimit)
		require.NoError(t, err)
		f.revisions[feed], f.versions[feed] = page.Feed.Revision, make(map[string]int64)
		for _, item := range page.Items {
			f.versions[feed][item.ID] = item.Version
		}
	}
}

// hear has the followers read what has a newer revision than they know.
func (f *followers) hear(t *testing.T, updated []cqrsfeed.FeedUpdated) {
	t.Helper()
	for _, u := range updated {
		if u.Revision > f.revisions[u.Feed] {
			f.read(t, u.Feed)
		}
	}
}

// holding is a worker that was to be held before one of its commands.
type holding struct {
	reached bool // false if it was through before
	resume  func()
	die     context.CancelFunc
	applied <-chan result
}

type result struct {
	updated []cqrsfeed.FeedUpdated
	err     error
}

// hold has a worker apply a batch until it is held before its nth command.
func hold(t *testing.T, s *store, watched *commands, n int, batch []change) holding {
	t.Helper()
	reached, resume := watched.holdBefore(t, n)
	ctx, die := context.WithCancel(t.Context())
	t.Cleanup(die)
	applied := make(chan result, 1)
	go func() {
		updated, err := s.Apply(ctx, batch)
		applied <- result{updated, err}
	}()
	select {
	case <-reached:
		return holding{reached: true, resume: resume, die: die, applied: applied}
	case result := <-applied:
		require.NoError(t, result.err)
		return holding{}
	}
}
