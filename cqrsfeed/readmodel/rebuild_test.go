package readmodel_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// numberedItems is a write model of n items in the feed "all". Its first scans fail.
type numberedItems struct {
	mu    sync.Mutex
	n     int
	fails int
	after []string // what scans began after
}

func (r *numberedItems) Scan(_ context.Context, after string, limit int) ([]cqrsfeed.Item[[]string], error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails > 0 {
		r.fails--
		return nil, errDown
	}
	r.after = append(r.after, after)
	var items []cqrsfeed.Item[[]string]
	for i := range r.n {
		if id := fmt.Sprintf("%04d", i); id > after && len(items) < limit {
			items = append(items, cqrsfeed.Item[[]string]{ID: id, Version: 1, Body: []string{"all"}})
		}
	}
	return items, nil
}

func feedsOf(item cqrsfeed.Item[[]string]) []string { return item.Body }

// countingStore counts what is applied, and shows nothing. Its first calls of Apply fail.
type countingStore struct {
	readmodel.Store[[]string]

	mu      sync.Mutex
	applied int
	fails   int
}

func (s *countingStore) Apply(_ context.Context, batch []cqrsfeed.FeedChange[[]string]) ([]cqrsfeed.FeedUpdated, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails > 0 {
		s.fails--
		return nil, errDown
	}
	s.applied += len(batch)
	return []cqrsfeed.FeedUpdated{{Feed: "all", Revision: int64(s.applied)}}, nil
}

func (s *countingStore) StoredIDs(context.Context, string, int) ([]string, error) { return nil, nil }

func (s *countingStore) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) { return nil, nil }

func rebuildConfig(from *numberedItems, into readmodel.Store[[]string]) readmodel.RebuildConfig[[]string] {
	return readmodel.RebuildConfig[[]string]{Source: from, Store: into, BatchSize: 10, FeedsOf: feedsOf}
}

// TestRebuildAppliesBatchesConcurrently shows that as many batches are applied at once as there are Workers.
func TestRebuildAppliesBatchesConcurrently(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from, into := &numberedItems{n: 1000}, &countingStore{}
		config := rebuildConfig(from, into)
		config.Workers = 3
		ctx, stop := context.WithCancel(t.Context())
		config.Progress = func(readmodel.RebuildSummary) {
			synctest.Wait() // until all is applied that can be before this batch is complete
			stop()
		}
		summary, err := readmodel.Rebuild(ctx, config)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, "0009", summary.After)
		require.Equal(t, 10*config.Workers, into.applied)
	})
}

func TestRebuildOutlastsFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from, into := &numberedItems{n: 100, fails: 3}, &countingStore{fails: 5}
		summary, err := readmodel.Rebuild(t.Context(), rebuildConfig(from, into))
		require.NoError(t, err)
		require.Equal(t, int64(100), summary.Items)
		require.Equal(t, 100, into.applied)

		into.fails = 1000
		_, err = readmodel.Rebuild(t.Context(), rebuildConfig(from, into))
		require.ErrorIs(t, err, errDown)
		require.ErrorContains(t, err, "gave up after 8 attempts")
		from.fails, into.fails = 1000, 0
		_, err = readmodel.Rebuild(t.Context(), rebuildConfig(from, into))
		require.ErrorIs(t, err, errDown)
		require.ErrorContains(t, err, "read the write model after item")
	})
}

// TestRebuildAnnounces each batch before it is complete.
func TestRebuildAnnounces(t *testing.T) {
	t.Parallel()
	told := &messageRecorder{}
	config := rebuildConfig(&numberedItems{n: 100}, &countingStore{})
	config.Publisher, config.UpdatesTopic = told, "updates"
	config.Progress = func(s readmodel.RebuildSummary) {
		require.GreaterOrEqual(t, int64(len(told.on("updates"))), s.Items/10)
	}
	_, err := readmodel.Rebuild(t.Context(), config)
	require.NoError(t, err)
	require.Len(t, told.on("updates"), 10)

	synctest.Test(t, func(t *testing.T) {
		config.Publisher, config.Progress = downPublisher{}, nil
		summary, err := readmodel.Rebuild(t.Context(), config)
		require.ErrorIs(t, err, errDown)
		require.Zero(t, summary.Items)
	})
}

func TestRebuildTakesAPanicForARefusal(t *testing.T) {
	t.Parallel()
	config := rebuildConfig(&numberedItems{n: 5}, &countingStore{})
	config.FeedsOf = func(item cqrsfeed.Item[[]string]) []string { return item.Body[5:] }
	_, err := readmodel.Rebuild(t.Context(), config)
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, "panic")

	var refused []string
	config.Refused = func(item cqrsfeed.Item[[]string], _ error) { refused = append(refused, item.ID) }
	summary, err := readmodel.Rebuild(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, []string{"0000", "0001", "0002", "0003", "0004"}, refused)
	require.Equal(t, int64(5), summary.Refused)
}

// steppedFeeds is a store that can be stopped at its steps, and that defers counts.
type steppedFeeds struct {
	*sqlitestore.FeedStore[[]string]

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

func (s *steppedFeeds) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[[]string]) ([]cqrsfeed.FeedUpdated, error) {
	return stepped(s, "apply", func() ([]cqrsfeed.FeedUpdated, error) { return s.FeedStore.Apply(ctx, batch) })
}

func (s *steppedFeeds) Forget(ctx context.Context, seen []readmodel.StoredItem) ([]cqrsfeed.FeedUpdated, error) {
	return stepped(s, "forget", func() ([]cqrsfeed.FeedUpdated, error) { return s.FeedStore.Forget(ctx, seen) })
}

func (s *steppedFeeds) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) {
	return stepped(s, "recount", func() ([]cqrsfeed.FeedUpdated, error) {
		counted := s.pending
		s.pending = nil
		return counted, nil
	})
}

// usedFeeds has a part of the items of the write model, and an orphan at either end.
func usedFeeds(t *testing.T) *steppedFeeds {
	t.Helper()
	store := openFeeds[[]string](t)
	for id, feeds := range map[string][]string{
		"0001": {"all"}, "0020": {"all"}, "0001 orphan": {"all", "gone"}, "9999 orphan": {"all", "gone"},
	} {
		_, err := store.Apply(t.Context(), []cqrsfeed.FeedChange[[]string]{
			{Item: cqrsfeed.Item[[]string]{ID: id, Version: 1, Body: []string{"all"}}, Feeds: feeds},
		})
		require.NoError(t, err)
	}
	return &steppedFeeds{
		FeedStore: store, step: func(string) error { return nil },
		pending: []cqrsfeed.FeedUpdated{{Feed: "all", Revision: 100}},
	}
}

// TestRebuildCanBeRunAgain after it was stopped at any step. The second run corrects everything.
func TestRebuildCanBeRunAgain(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"before apply", "after apply", "before forget", "after forget", "before recount", "after recount"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			from, into := &numberedItems{n: 30}, usedFeeds(t)
			config := rebuildConfig(from, into)
			config.Workers = 1
			for _, skip := range []int{0, 1} {
				ctx, stop := context.WithCancel(t.Context())
				into.step = func(name string) error {
					if name == at {
						if skip--; skip < 0 {
							stop()
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
				stop()
			}
			into.step = func(string) error { return nil }
			summary, err := readmodel.Rebuild(t.Context(), config)
			require.NoError(t, err)
			require.Equal(t, int64(30), summary.Items)
			audited, err := readmodel.Audit(t.Context(), readmodel.AuditConfig[[]string]{
				Source: from, Store: into, FeedsOf: feedsOf, RecheckDelay: 1,
				Drift: func(d readmodel.Drift) { t.Log(d) },
			})
			require.NoError(t, err)
			require.Zero(t, audited.Drifts)
			page, err := into.Page(t.Context(), "all", "", 100)
			require.NoError(t, err)
			require.Equal(t, int64(30), page.Feed.Count)
		})
	}
}

// cutRecounts fails after it has counted, more often than a rebuild tries.
type cutRecounts struct {
	*countingStore

	revision, fails int64
}

func (s *cutRecounts) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) {
	if s.fails--; s.fails < 0 {
		return nil, nil
	}
	s.revision++
	return []cqrsfeed.FeedUpdated{{Feed: "counted", Revision: s.revision}}, errDown
}

// TestRebuildAnnouncesWhatWasCountedBeforeAFailure, whether a later attempt succeeds or not.
func TestRebuildAnnouncesWhatWasCountedBeforeAFailure(t *testing.T) {
	t.Parallel()
	for fails, want := range map[int64]error{3: nil, 1000: errDown} {
		synctest.Test(t, func(t *testing.T) {
			store, told := &cutRecounts{countingStore: &countingStore{}, fails: fails}, &messageRecorder{}
			config := rebuildConfig(&numberedItems{n: 3}, store)
			config.Publisher, config.UpdatesTopic = told, "updates"
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
			require.Equal(t, []int64{store.revision}, counted, "the newest revision, once")
		})
	}
}

// busyFeeds change as fast as they are counted.
type busyFeeds struct {
	*countingStore

	recounts int
}

func (s *busyFeeds) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) {
	s.recounts++
	var updated []cqrsfeed.FeedUpdated
	for i := range 10 {
		updated = append(updated, cqrsfeed.FeedUpdated{Feed: fmt.Sprint(min(s.recounts, 3), i), Revision: int64(s.recounts)})
	}
	return updated, nil
}

// TestRebuildEndsAlthoughFeedsKeepChanging after it counted each of them.
func TestRebuildEndsAlthoughFeedsKeepChanging(t *testing.T) {
	t.Parallel()
	store := &busyFeeds{countingStore: &countingStore{}}
	summary, err := readmodel.Rebuild(t.Context(), rebuildConfig(&numberedItems{n: 3}, store))
	require.NoError(t, err)
	require.Equal(t, 3+driver.RecountCalls, store.recounts, "three calls returned feeds that were not counted before")
	require.Equal(t, int64(30), summary.Recounted)
}

func TestRebuildConfigNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := readmodel.Rebuild(t.Context(), readmodel.RebuildConfig[string]{
		UpdatesTopic: "updates", BatchSize: 1001, Workers: -1, RuleVersion: -1,
	})
	for _, problem := range []string{"Source", "Store", "FeedsOf", "UpdatesTopic", "BatchSize", "Workers", "RuleVersion"} {
		require.ErrorContains(t, err, problem)
	}
}

// badItems is a write model that does not return.
type badItems struct {
	*numberedItems

	end func()
}

func (b badItems) Scan(context.Context, string, int) ([]cqrsfeed.Item[[]string], error) {
	b.end()
	return nil, nil
}

// badStore is a store that does not return.
type badStore struct {
	*countingStore

	end func()
}

func (b badStore) Apply(context.Context, []cqrsfeed.FeedChange[[]string]) ([]cqrsfeed.FeedUpdated, error) {
	b.end()
	return nil, nil
}

// TestAPanicOfARebuildIsItsCallers, who may recover from its value. So is a runtime.Goexit, as by a test that fails.
func TestAPanicOfARebuildIsItsCallers(t *testing.T) {
	t.Parallel()
	from, into := &numberedItems{n: 100}, &countingStore{}
	source := func(end func()) readmodel.RebuildConfig[[]string] {
		config := rebuildConfig(from, into)
		config.Source = badItems{from, end}
		return config
	}
	store := func(end func()) readmodel.RebuildConfig[[]string] { return rebuildConfig(from, badStore{into, end}) }
	for name, config := range map[string]func(end func()) readmodel.RebuildConfig[[]string]{"source": source, "store": store} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.PanicsWithValue(t, "a bug", func() {
				_, _ = readmodel.Rebuild(t.Context(), config(func() { panic("a bug") }))
			})
			returned := false
			exited := make(chan struct{})
			go func() {
				defer close(exited)
				_, _ = readmodel.Rebuild(t.Context(), config(runtime.Goexit))
				returned = true
			}()
			<-exited
			require.False(t, returned)
		})
	}
}
