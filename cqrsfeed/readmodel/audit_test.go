package readmodel_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

func TestAuditConfigNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := readmodel.Audit(t.Context(), readmodel.AuditConfig[string]{
		UpdatesTopic: "updates", BatchSize: 1001, RecheckDelay: -1, RuleVersion: -1,
	})
	for _, problem := range []string{"Source", "Store", "FeedsOf", "UpdatesTopic", "BatchSize", "RecheckDelay", "RuleVersion"} {
		require.ErrorContains(t, err, problem)
	}
}

// TestAuditErrorNamesTheStep at which it was stopped.
func TestAuditErrorNamesTheStep(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err := readmodel.Audit(ctx, readmodel.AuditConfig[[]string]{
		Source: &numberedItems{n: 3}, Store: openFeeds[[]string](t), FeedsOf: feedsOf,
	})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "audit items")
}

// inexactCounts is a store that does not read counts and numbers of items in one snapshot.
type inexactCounts struct {
	countingStore

	counts func() readmodel.StoredCount
}

func (s *inexactCounts) Feeds(_ context.Context, after string, _ int) ([]cqrsfeed.Feed, error) {
	if after != "" {
		return nil, nil
	}
	return []cqrsfeed.Feed{{Name: "all", Count: 1}}, nil
}

func (s *inexactCounts) StoredCounts(context.Context, []string) ([]readmodel.StoredCount, error) {
	return []readmodel.StoredCount{s.counts()}, nil
}

// TestAuditOfInexactCounts: a difference is a drift only if the feed did not change during RecheckDelay.
func TestAuditOfInexactCounts(t *testing.T) {
	t.Parallel()
	for name, changing := range map[string]bool{"a feed at rest": false, "a feed that changes": true} {
		synctest.Test(t, func(t *testing.T) {
			count, began := readmodel.StoredCount{Feed: "all", Count: 1, Items: 2}, time.Now()
			store := &inexactCounts{counts: func() readmodel.StoredCount {
				if changing {
					count.Revision++
				}
				return count
			}}
			summary, err := readmodel.Audit(t.Context(), readmodel.AuditConfig[[]string]{
				Source: &numberedItems{}, Store: store, FeedsOf: feedsOf,
			})
			require.NoError(t, err)
			want := readmodel.AuditSummary{Feeds: 1, Drifts: 1}
			if changing {
				want = readmodel.AuditSummary{Feeds: 1, Unsettled: 1}
			}
			require.Equal(t, want, summary, name)
			require.Equal(t, 3*time.Second, time.Since(began))
		})
	}
}

// TestAuditOfNothingDoesNotWait, because nothing is checked again.
func TestAuditOfNothingDoesNotWait(t *testing.T) {
	t.Parallel()
	summary, err := readmodel.Audit(t.Context(), readmodel.AuditConfig[[]string]{
		Source: &numberedItems{}, Store: openFeeds[[]string](t), FeedsOf: feedsOf, RecheckDelay: time.Hour,
	})
	require.NoError(t, err)
	require.Equal(t, readmodel.AuditSummary{}, summary)
}

// pickyFeeds refuses to restate an item.
type pickyFeeds struct {
	readmodel.Store[[]string]

	refused string
}

func (s pickyFeeds) Restate(ctx context.Context, states []readmodel.Restatement[[]string]) ([]cqrsfeed.FeedUpdated, error) {
	for _, state := range states {
		if state.Change.Item.ID == s.refused {
			return nil, fmt.Errorf("%w: too large", cqrsfeed.ErrInvalid)
		}
	}
	return s.Store.Restate(ctx, states)
}

// TestAuditReportsRefusedItems and repairs the others.
func TestAuditReportsRefusedItems(t *testing.T) {
	t.Parallel()
	var drifts []string
	config := readmodel.AuditConfig[[]string]{
		Source: &numberedItems{n: 5}, Store: pickyFeeds{openFeeds[[]string](t), "0003"}, RecheckDelay: 1, Repair: true,
		FeedsOf: func(item cqrsfeed.Item[[]string]) []string {
			if item.ID == "0001" {
				return []string{"a\nb"}
			}
			return item.Body
		},
		Drift: func(d readmodel.Drift) { drifts = append(drifts, fmt.Sprint(d.Kind, " ", d.Item, " ", d.Repaired)) },
	}
	summary, err := readmodel.Audit(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, []string{
		"version 0000 true", "refused 0001 false", "version 0002 true", "refused 0003 false", "version 0004 true",
	}, drifts)
	require.Equal(t, int64(2), summary.Remaining())
}
