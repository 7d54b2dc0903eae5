package model

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// Apply applies a batch that has to succeed and returns the announced revisions by feed.
func Apply(t *testing.T, store cqrsfeed.FeedStore[Body], batch ...Change) map[string]int64 {
	t.Helper()
	updated, err := store.Apply(t.Context(), batch)
	require.NoError(t, err)
	revisions := make(map[string]int64, len(updated))
	for _, u := range updated {
		revisions[u.Feed] = u.Revision
	}
	require.Len(t, revisions, len(updated), "a feed is announced once")
	return revisions
}

// Attempts is how often ApplyUntilDone applies a batch that fails, as redelivery would.
const Attempts = 20

// ApplyUntilDone applies a batch until that succeeds.
func ApplyUntilDone(ctx context.Context, store cqrsfeed.FeedStore[Body], batch []Change) error {
	var err error
	for range Attempts {
		if _, err = store.Apply(ctx, batch); err == nil {
			return nil
		}
	}
	return err
}

// RequireVersion requires that a store has a version of an item, or 0 for none.
func RequireVersion(t *testing.T, store cqrsfeed.ItemVersions, id string, want int64) {
	t.Helper()
	got, err := store.ItemVersion(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, want, got, "version of item %q", id)
}

// Page reads a page.
func Page(t *testing.T, store cqrsfeed.FeedStore[Body], feed, cursor string, limit int) cqrsfeed.FeedPage[Body] {
	t.Helper()
	page, err := store.Page(t.Context(), feed, cursor, limit)
	require.NoError(t, err)
	return page
}

// Rebuild rebuilds without an error.
func Rebuild(t *testing.T, config readmodel.RebuildConfig[Body]) readmodel.RebuildSummary {
	t.Helper()
	summary, err := readmodel.Rebuild(t.Context(), config)
	require.NoError(t, err)
	return summary
}

// Audit audits without an error.
func Audit(t *testing.T, config readmodel.AuditConfig[Body]) readmodel.AuditSummary {
	t.Helper()
	summary, err := readmodel.Audit(t.Context(), config)
	require.NoError(t, err)
	return summary
}
