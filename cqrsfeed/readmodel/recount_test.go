package readmodel_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/internal/backoff"
)

// slowFeeds are applied and counted slowly, and record when they were counted.
type slowFeeds struct {
	*countingStore

	apply, recount time.Duration
	began          time.Time
	counted        []time.Duration // when, since began
}

func (s *slowFeeds) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[[]string]) ([]cqrsfeed.FeedUpdated, error) {
	backoff.Sleep(ctx, s.apply)
	return s.countingStore.Apply(ctx, batch)
}

// StoredItems implements readmodel.Store: it has nothing.
func (s *slowFeeds) StoredItems(context.Context, []string) ([]readmodel.StoredItem, error) {
	return nil, nil
}

// Feeds implements readmodel.Store.
func (s *slowFeeds) Feeds(context.Context, string, int) ([]cqrsfeed.Feed, error) { return nil, nil }

// StoredCounts implements readmodel.Store.
func (s *slowFeeds) StoredCounts(context.Context, []string) ([]readmodel.StoredCount, error) {
	return nil, nil
}

// Restate implements readmodel.Store.
func (s *slowFeeds) Restate(ctx context.Context, _ []readmodel.Restatement[[]string]) ([]cqrsfeed.FeedUpdated, error) {
	backoff.Sleep(ctx, s.apply)
	return nil, nil
}

func (s *slowFeeds) Recount(ctx context.Context) ([]cqrsfeed.FeedUpdated, error) {
	s.counted = append(s.counted, time.Since(s.began))
	backoff.Sleep(ctx, s.recount)
	return []cqrsfeed.FeedUpdated{{Feed: "all", Revision: int64(1000 + len(s.counted))}}, nil
}

// TestFeedsAreCountedWhileItemsAreApplied: each second, or less often if counting takes long.
func TestFeedsAreCountedWhileItemsAreApplied(t *testing.T) {
	t.Parallel()
	for name, work := range map[string]func(ctx context.Context, from *numberedItems, into *slowFeeds, told *messageRecorder) error{
		"rebuild": func(ctx context.Context, from *numberedItems, into *slowFeeds, told *messageRecorder) error {
			config := rebuildConfig(from, into)
			config.Workers, config.Publisher, config.UpdatesTopic = 1, told, "updates"
			_, err := readmodel.Rebuild(ctx, config)
			return err
		},
		"repair": func(ctx context.Context, from *numberedItems, into *slowFeeds, told *messageRecorder) error {
			_, err := readmodel.Audit(ctx, readmodel.AuditConfig[[]string]{
				Source: from, Store: into, FeedsOf: feedsOf, BatchSize: 10, Repair: true, RecheckDelay: 1,
				Publisher: told, UpdatesTopic: "updates",
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				into, told := &slowFeeds{countingStore: &countingStore{}, apply: 200 * time.Millisecond, began: time.Now()}, &messageRecorder{}
				require.NoError(t, work(t.Context(), &numberedItems{n: 300}, into, told))
				require.GreaterOrEqual(t, len(into.counted), 5, "in six seconds")
				require.LessOrEqual(t, into.counted[0], 1400*time.Millisecond)
				require.GreaterOrEqual(t, into.counted[1]-into.counted[0], time.Second)
				require.GreaterOrEqual(t, len(told.on("updates")), len(into.counted)-driver.RecountCalls, "open pages follow")

				into.counted, into.began, into.recount = nil, time.Now(), 300*time.Millisecond
				require.NoError(t, work(t.Context(), &numberedItems{n: 300}, into, told))
				require.GreaterOrEqual(t, into.counted[1]-into.counted[0], 3*time.Second, "it leaves nine tenths of the time")
			})
		})
	}
}
