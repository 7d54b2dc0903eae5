package readmodel_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// TestRestartForgetsTheCheckpoint at once: killed before it notes one of its own, it is not gone on from the old one.
func TestRestartForgetsTheCheckpoint(t *testing.T) {
	t.Parallel()
	from, into := &numberedItems{n: 100}, &rememberingStore{}
	config := rebuildConfig(from, into)
	killed := func(config readmodel.RebuildConfig[[]string], at int64) {
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		if at == 0 {
			config.FeedsOf = func(cqrsfeed.Item[[]string]) []string {
				kill()
				return nil
			}
		}
		config.Progress = func(p readmodel.RebuildProgress) {
			if p.Items == at {
				kill()
			}
		}
		_, err := readmodel.Rebuild(ctx, config)
		require.ErrorIs(t, err, context.Canceled)
	}
	killed(config, 50)
	require.NotEmpty(t, into.checkpoint)
	restart := config
	restart.Restart, restart.Workers = true, 1
	killed(restart, 0)

	from.after = nil
	summary, err := readmodel.Rebuild(t.Context(), config)
	require.NoError(t, err)
	require.Zero(t, summary.Resumed)
	require.Empty(t, from.after[0])
}

// steppedFeeds is a store that can be stopped at its steps, and that is a Recounter.
type steppedFeeds struct {
	*sqlitestore.FeedStore[[]string]

	db      *sql.DB
	step    func(name string) error // before and after a step
	pending []cqrsfeed.FeedUpdated
}

func stepped[R any](s *steppedFeeds, name string, do func() (R, error)) (R, error) {
	var none R
	if err := s.step("before " + name); err != nil {
		return none, err
	}
	result, err := do()
	if err != nil {
		return none, err
	}
	if err := s.step("after " + name); err != nil {
		return none, err
	}
	return result, nil
}

func (s *steppedFeeds) Forget(ctx context.Context, seen []readmodel.StoredItem) ([]cqrsfeed.FeedUpdated, error) {
	return stepped(s, "forget", func() ([]cqrsfeed.FeedUpdated, error) { return s.FeedStore.Forget(ctx, seen) })
}

func (s *steppedFeeds) RemoveEntries(ctx context.Context, seen []readmodel.StoredEntry) ([]cqrsfeed.FeedUpdated, error) {
	return stepped(s, "remove", func() ([]cqrsfeed.FeedUpdated, error) { return s.FeedStore.RemoveEntries(ctx, seen) })
}

func (s *steppedFeeds) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) {
	return stepped(s, "recount", func() ([]cqrsfeed.FeedUpdated, error) {
		counted := s.pending
		s.pending = nil
		return counted, nil
	})
}

// brokenFeeds has a part of what the write model has, an orphan at either end, and a stray entry.
func brokenFeeds(t *testing.T) *steppedFeeds {
	t.Helper()
	db, err := sql.Open("sqlite", sqlitestore.DSN(filepath.Join(t.TempDir(), "feeds.db")))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	database, err := sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(t, err)
	store, err := sqlitestore.NewFeedStore[[]string](database, "item")
	require.NoError(t, err)
	require.NoError(t, database.EnsureSchema(t.Context()))
	for id, feeds := range map[string][]string{
		"0001": {"all"}, "0020": {"all"}, "0001 orphan": {"all", "gone"}, "9999 orphan": {"all", "gone"}, "0003": {"all", "stray"},
	} {
		_, err := store.Apply(t.Context(), []cqrsfeed.FeedChange[[]string]{
			{Item: cqrsfeed.Item[[]string]{ID: id, Version: 1, Body: []string{"all"}}, Feeds: feeds},
		})
		require.NoError(t, err)
	}
	_, err = db.ExecContext(t.Context(), `UPDATE item_feed_items SET feeds = '["all"]' WHERE id = '0003'`)
	require.NoError(t, err)
	return &steppedFeeds{
		FeedStore: store, db: db, step: func(string) error { return nil },
		pending: []cqrsfeed.FeedUpdated{{Feed: "all", Revision: 100}},
	}
}

// TestRebuildKilledInAnyPhaseGoesOn: whatever it was at, the next one makes everything right.
func TestRebuildKilledInAnyPhaseGoesOn(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"before forget", "after forget", "before remove", "after remove", "before recount", "after recount"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			from, into := &numberedItems{n: 30}, brokenFeeds(t)
			config := readmodel.RebuildConfig[[]string]{
				Repository: from, Store: into, BatchSize: 10, Workers: 1,
				FeedsOf: func(item cqrsfeed.Item[[]string]) []string { return item.Body },
			}
			// One end of the orphans is in the first batch, the other behind the last.
			for _, skip := range []int{0, 1} {
				ctx, kill := context.WithCancel(t.Context())
				into.step = func(name string) error {
					if name == at {
						if skip--; skip < 0 {
							kill()
							return ctx.Err()
						}
					}
					return nil
				}
				_, err := readmodel.Rebuild(ctx, config)
				if ctx.Err() != nil {
					require.ErrorIs(t, err, context.Canceled)
				} else {
					require.NoError(t, err)
				}
				kill()
			}
			into.step = func(string) error { return nil }
			summary, err := readmodel.Rebuild(t.Context(), config)
			require.NoError(t, err)
			require.Equal(t, int64(30), summary.Items)
			audit := readmodel.AuditConfig[[]string]{
				Repository: from, Store: into, FeedsOf: config.FeedsOf, Moment: 1,
				Drift: func(d readmodel.Drift) { t.Log(d) },
			}
			audited, err := readmodel.Audit(t.Context(), audit)
			require.NoError(t, err)
			require.Zero(t, audited.Drifts)
			page, err := into.Page(t.Context(), "all", "", 100)
			require.NoError(t, err)
			require.Equal(t, int64(30), page.Feed.Count)
			saved, err := into.LoadCheckpoint(t.Context(), "rebuild")
			require.NoError(t, err)
			require.Empty(t, saved)
		})
	}
}

// TestRebuildTellsItsPhases, so that whoever watches does not see it stand still at 100 %.
func TestRebuildTellsItsPhases(t *testing.T) {
	t.Parallel()
	into := brokenFeeds(t)
	var phases []string
	var last readmodel.RebuildProgress
	summary, err := readmodel.Rebuild(t.Context(), readmodel.RebuildConfig[[]string]{
		Repository: &numberedItems{n: 30}, Store: into, BatchSize: 10,
		FeedsOf: func(item cqrsfeed.Item[[]string]) []string { return item.Body },
		Progress: func(p readmodel.RebuildProgress) {
			if len(phases) == 0 || phases[len(phases)-1] != string(p.Phase) {
				phases = append(phases, string(p.Phase))
			}
			if p.Phase == readmodel.RebuildRecounting && last.Phase == p.Phase {
				require.InDelta(t, last.Rate, p.Rate, 0, "it copies no more")
			}
			last = p
		},
	})
	require.NoError(t, err)
	require.Equal(t, "copying strays recounting", strings.Join(phases, " "))
	require.Equal(t, int64(30), last.Items)
	require.Positive(t, last.Entries)
	require.Equal(t, int64(1), last.Feeds)
	require.Equal(t, last.Feeds, summary.Feeds)
}

// cutRecounts fails when it has counted, more often than a rebuild tries.
type cutRecounts struct {
	*rememberingStore

	revision, fails int64
}

func (s *cutRecounts) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) {
	if s.fails--; s.fails < 0 {
		return nil, nil
	}
	s.revision++
	return []cqrsfeed.FeedUpdated{{Feed: "counted", Revision: s.revision}}, errDown
}

// TestRebuildAnnouncesWhatWasCountedBeforeAFailure, whether it comes to an end in spite of that or not.
func TestRebuildAnnouncesWhatWasCountedBeforeAFailure(t *testing.T) {
	t.Parallel()
	for fails, want := range map[int64]error{3: nil, 1000: errDown} {
		synctest.Test(t, func(t *testing.T) {
			store, told := &cutRecounts{rememberingStore: &rememberingStore{}, fails: fails}, &messageRecorder{}
			config := rebuildConfig(&numberedItems{n: 3}, store.rememberingStore)
			config.Store, config.Publisher, config.UpdatesTopic = store, told, "updates"
			_, err := readmodel.Rebuild(t.Context(), config)
			require.ErrorIs(t, err, want)
			var counted []int64
			for _, msg := range told.on("updates") {
				var event cqrsfeed.FeedUpdated
				require.NoError(t, json.Unmarshal(msg.Payload, &event))
				if event.Feed == "counted" {
					counted = append(counted, event.Revision)
				}
			}
			require.Equal(t, []int64{store.revision}, counted, "the newest, once")
		})
	}
}

// busyFeeds change as fast as they are counted.
type busyFeeds struct {
	*rememberingStore

	recounts int
}

func (s *busyFeeds) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) {
	s.recounts++
	var updated []cqrsfeed.FeedUpdated
	for i := range cqrsfeed.MaxPageLimit {
		updated = append(updated, cqrsfeed.FeedUpdated{Feed: fmt.Sprint(min(s.recounts, 3), i), Revision: int64(s.recounts)})
	}
	return updated, nil
}

// TestRebuildEndsAlthoughFeedsKeepChanging: each is counted once, and then it is theirs who change it.
func TestRebuildEndsAlthoughFeedsKeepChanging(t *testing.T) {
	t.Parallel()
	store := &busyFeeds{rememberingStore: &rememberingStore{}}
	config := rebuildConfig(&numberedItems{n: 3}, store.rememberingStore)
	config.Store = store
	_, err := readmodel.Rebuild(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, 4, store.recounts, "three rounds had feeds that were not counted before")
}

// keptItems are a write model that can be read one by one, and that fails at times.
type keptItems struct {
	*numberedItems

	failing int
}

func (r *keptItems) Get(_ context.Context, id string) (cqrsfeed.Item[[]string], error) {
	if r.failing--; r.failing >= 0 {
		return cqrsfeed.Item[[]string]{}, errDown
	}
	return cqrsfeed.Item[[]string]{ID: id, Version: 1, Body: []string{"all", "stray"}}, nil
}

// TestRebuildBringsBackWhatCameToCount: an item was moved to a feed in the moment in which its entry there was removed as
// a stray one. That the write model fails a few times changes nothing.
func TestRebuildBringsBackWhatCameToCount(t *testing.T) {
	t.Parallel()
	for failing, want := range map[int]error{0: nil, 3: nil, 1000: errDown} {
		t.Run(fmt.Sprint(failing), func(t *testing.T) {
			t.Parallel()
			from, into := &keptItems{&numberedItems{n: 30}, failing}, brokenFeeds(t)
			into.step = func(name string) error {
				if name != "after remove" {
					return nil
				}
				_, err := into.db.ExecContext(t.Context(), `UPDATE item_feed_items SET feeds = '["all", "stray"]' WHERE id = '0003'`)
				return err
			}
			_, err := readmodel.Rebuild(t.Context(), readmodel.RebuildConfig[[]string]{
				Repository: from, Store: into, BatchSize: 10, Workers: 1, Attempts: 4,
				FeedsOf: func(item cqrsfeed.Item[[]string]) []string { return item.Body },
			})
			require.ErrorIs(t, err, want)
			page, err := into.Page(t.Context(), "stray", "", 100)
			require.NoError(t, err)
			require.Equal(t, want == nil, len(page.Items) == 1)
		})
	}
}
