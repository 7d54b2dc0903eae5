package readmodel_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// numberedItems is a write model of n items in the feed "all"; each scan can be made to fail.
type numberedItems struct {
	cqrsfeed.Repository[[]string]

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

// rememberingStore applies to nothing and remembers checkpoints.
type rememberingStore struct {
	cqrsfeed.FeedStore[[]string]

	mu         sync.Mutex
	applied    int
	fails      int
	checkpoint string
	revision   int64
}

func (s *rememberingStore) Apply(_ context.Context, batch []cqrsfeed.FeedChange[[]string]) ([]cqrsfeed.FeedUpdated, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails > 0 {
		s.fails--
		return nil, errDown
	}
	s.applied += len(batch)
	return []cqrsfeed.FeedUpdated{{Feed: "all", Revision: s.revision}}, nil
}

func (s *rememberingStore) SaveCheckpoint(_ context.Context, _, value string) error {
	s.checkpoint = value
	return nil
}

func (s *rememberingStore) LoadCheckpoint(context.Context, string) (string, error) {
	return s.checkpoint, nil
}

func rebuildConfig(from *numberedItems, into *rememberingStore) readmodel.RebuildConfig[[]string] {
	return readmodel.RebuildConfig[[]string]{
		Repository: from, Store: into, BatchSize: 10,
		FeedsOf: func(item cqrsfeed.Item[[]string]) []string { return item.Body },
	}
}

// TestRebuildForgetsOldCheckpoints goes on with what was broken off yesterday, but not the day before.
func TestRebuildForgetsOldCheckpoints(t *testing.T) {
	t.Parallel()
	for wait, resumes := range map[time.Duration]bool{23 * time.Hour: true, 25 * time.Hour: false} {
		t.Run(wait.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				from, into := &numberedItems{n: 100}, &rememberingStore{}
				config := rebuildConfig(from, into)
				ctx, kill := context.WithCancel(t.Context())
				config.Progress = func(p readmodel.RebuildProgress) {
					if p.Items == 50 {
						kill()
					}
				}
				_, err := readmodel.Rebuild(ctx, config)
				require.ErrorIs(t, err, context.Canceled)
				time.Sleep(wait) //nolint:forbidigo // of the bubble: nothing waits

				from.after = nil
				summary, err := readmodel.Rebuild(t.Context(), config)
				require.NoError(t, err)
				if resumes {
					require.Equal(t, int64(50), summary.Resumed)
					require.Equal(t, "0049", from.after[0])
				} else {
					require.Zero(t, summary.Resumed)
					require.Empty(t, from.after[0])
				}
				require.Equal(t, int64(100), summary.Items)
				require.Empty(t, into.checkpoint)
			})
		})
	}
}

// TestRebuildDoesFewBatchesTwice kills it with all batches applied that can be, and none noted beyond.
func TestRebuildDoesFewBatchesTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from, into := &numberedItems{n: 1000}, &rememberingStore{}
		config := rebuildConfig(from, into)
		config.Workers = 3
		ctx, kill := context.WithCancel(t.Context())
		config.Progress = func(readmodel.RebuildProgress) {
			synctest.Wait() // until everything that can be applied without this one is
			kill()
		}
		_, err := readmodel.Rebuild(ctx, config)
		require.ErrorIs(t, err, context.Canceled)
		require.Greater(t, into.applied, 10, "batches are applied beside each other")
		require.LessOrEqual(t, into.applied, 10*(1+config.Workers+2))
	})
}

func TestRebuildOutlastsFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from, into := &numberedItems{n: 100, fails: 3}, &rememberingStore{fails: 5}
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

// countedItems are a write model that can be counted, when it does not fail.
type countedItems struct {
	*numberedItems

	failing int
}

func (r *countedItems) CountItems(context.Context) (int64, error) {
	if r.failing--; r.failing >= 0 {
		return 0, errDown
	}
	return int64(r.n), nil
}

func TestRebuildOutlastsFailuresOfCounting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := rebuildConfig(&numberedItems{}, &rememberingStore{})
		config.Repository = &countedItems{&numberedItems{n: 10}, 3}
		summary, err := readmodel.Rebuild(t.Context(), config)
		require.NoError(t, err)
		require.Equal(t, int64(10), summary.Total)
	})
}

// TestRebuildAnnouncesARevisionOnce, although every batch names its feed.
func TestRebuildAnnouncesARevisionOnce(t *testing.T) {
	t.Parallel()
	into, told := &rememberingStore{revision: 5}, &messageRecorder{}
	config := rebuildConfig(&numberedItems{n: 100}, into)
	config.Publisher, config.UpdatesTopic, config.Workers = told, "updates", 1
	_, err := readmodel.Rebuild(t.Context(), config)
	require.NoError(t, err)
	require.Len(t, told.on("updates"), 1)

	synctest.Test(t, func(t *testing.T) {
		config.Publisher = downPublisher{}
		_, err = readmodel.Rebuild(t.Context(), config)
		require.ErrorIs(t, err, errDown)
		require.Positive(t, into.applied)
		require.Empty(t, into.checkpoint, "what was not announced is not done")
	})
}

func TestRebuildTakesAPanicForARefusal(t *testing.T) {
	t.Parallel()
	config := rebuildConfig(&numberedItems{n: 5}, &rememberingStore{})
	config.FeedsOf = func(item cqrsfeed.Item[[]string]) []string { return item.Body[5:] }
	_, err := readmodel.Rebuild(t.Context(), config)
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.ErrorContains(t, err, "panic")
}

func TestRebuildConfigNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := readmodel.Rebuild(t.Context(), readmodel.RebuildConfig[string]{
		UpdatesTopic: "updates", BatchSize: 1001, Workers: -1, Attempts: -1,
	})
	for _, problem := range []string{"Repository", "Store", "FeedsOf", "UpdatesTopic", "BatchSize", "Workers", "Attempts"} {
		require.ErrorContains(t, err, problem)
	}
}

func TestAuditConfigNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := readmodel.Audit(t.Context(), readmodel.AuditConfig[string]{
		UpdatesTopic: "updates", BatchSize: 501, Moment: -1, Attempts: -1,
	})
	for _, problem := range []string{"Repository", "no Store", "FeedsOf", "UpdatesTopic", "BatchSize", "Moment", "Attempts"} {
		require.ErrorContains(t, err, problem)
	}
	_, err = readmodel.Audit(t.Context(), readmodel.AuditConfig[[]string]{Store: &rememberingStore{}, Heal: true})
	require.ErrorContains(t, err, "no FeedInspector")
	require.ErrorContains(t, err, "no FeedRepairer")
}

// TestAuditSaysWhatItWasAt: an audit that is ended says what it was at.
func TestAuditSaysWhatItWasAt(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err := readmodel.Audit(ctx, readmodel.AuditConfig[[]string]{
		Repository: &numberedItems{n: 3}, Store: openFeeds[[]string](t),
		FeedsOf: func(item cqrsfeed.Item[[]string]) []string { return item.Body },
	})
	require.Error(t, err)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "audit items")
}
