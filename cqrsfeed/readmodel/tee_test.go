package readmodel_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/feedtest"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/internal/panics"
)

func openFeeds[T any](t *testing.T) *sqlitestore.FeedStore[T] {
	t.Helper()
	db, err := sql.Open("sqlite", sqlitestore.DSN(":memory:"))
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	database, err := sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(t, err)
	store, err := sqlitestore.NewFeedStore[T](database, "item")
	require.NoError(t, err)
	require.NoError(t, database.EnsureSchema(t.Context()))
	return store
}

// TestTeeIsAFeedStore shows that a Tee keeps the contract of a feed store.
func TestTeeIsAFeedStore(t *testing.T) {
	t.Parallel()
	feedtest.TestFeedStore(t, func(t *testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body] {
		t.Helper()
		tee, err := readmodel.NewTee[cqrsfeedtest.Body](openFeeds[cqrsfeedtest.Body](t), openFeeds[cqrsfeedtest.Body](t))
		require.NoError(t, err)
		return tee
	})
}

// failing is a store whose calls fail while it is down.
type failing struct {
	cqrsfeed.FeedStore[string]
	down     atomic.Bool
	recounts []cqrsfeed.FeedUpdated
	cut      bool // Recount fails when it has counted
}

func (s *failing) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[string]) ([]cqrsfeed.FeedUpdated, error) {
	if s.down.Load() {
		return nil, errDown
	}
	return s.FeedStore.Apply(ctx, batch)
}

func (s *failing) Recount(context.Context) ([]cqrsfeed.FeedUpdated, error) {
	if s.down.Load() {
		return nil, errDown
	}
	if s.cut {
		return s.recounts, errDown
	}
	return s.recounts, nil
}

func TestTeeAcknowledgesWhatBothHave(t *testing.T) {
	t.Parallel()
	batch := []cqrsfeed.FeedChange[string]{{Item: cqrsfeed.Item[string]{ID: "x", Version: 1}, Feeds: []string{"go"}}}
	for name, which := range map[string]int{"the one that is read from": 0, "the second": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stores := []*failing{{FeedStore: openFeeds[string](t)}, {FeedStore: openFeeds[string](t)}}
			tee, err := readmodel.NewTee[string](stores[0], stores[1])
			require.NoError(t, err)
			stores[which].down.Store(true)
			updated, err := tee.Apply(t.Context(), batch)
			require.ErrorIs(t, err, errDown)
			require.Empty(t, updated)

			stores[which].down.Store(false)
			updated, err = tee.Apply(t.Context(), batch) // as redelivery does
			require.NoError(t, err)
			require.Equal(t, []cqrsfeed.FeedUpdated{{Feed: "go", Revision: 1}}, updated)
			for _, store := range stores {
				page, err := store.Page(t.Context(), "go", "", 10)
				require.NoError(t, err)
				require.Len(t, page.Items, 1)
			}
		})
	}
}

// panicking is a store with a bug.
type panicking struct{ cqrsfeed.FeedStore[string] }

func (panicking) Apply(context.Context, []cqrsfeed.FeedChange[string]) ([]cqrsfeed.FeedUpdated, error) {
	panic("a bug")
}

// TestTeePanicsWhereItWasCalled, and not in another goroutine, where the caller cannot recover.
func TestTeePanicsWhereItWasCalled(t *testing.T) {
	t.Parallel()
	tee, err := readmodel.NewTee[string](openFeeds[string](t), panicking{})
	require.NoError(t, err)
	defer func() {
		raised := fmt.Sprint(recover())
		require.Contains(t, raised, "a bug")
		require.Contains(t, raised, "panicking.Apply", "where it was")
	}()
	_, _ = tee.Apply(t.Context(), []cqrsfeed.FeedChange[string]{{Item: cqrsfeed.Item[string]{ID: "x", Version: 1}}})
}

// TestTeeKeepsTheStackOfAPanic also through a Tee of Tees.
func TestTeeKeepsTheStackOfAPanic(t *testing.T) {
	t.Parallel()
	down := &failing{}
	down.down.Store(true)
	inner, err := readmodel.NewTee[string](down, panicking{})
	require.NoError(t, err)
	tee, err := readmodel.NewTee[string](down, inner)
	require.NoError(t, err)
	raised := panics.Catch(func() { _, _ = tee.Apply(t.Context(), nil) })
	require.NotNil(t, raised)
	require.Equal(t, "a bug", raised.Reason)
	require.Contains(t, string(raised.Stack), "panicking.Apply", "where it was")
}

func TestTeeReadsFromOne(t *testing.T) {
	t.Parallel()
	read, also := &failing{FeedStore: openFeeds[string](t)}, &failing{FeedStore: openFeeds[string](t)}
	tee, err := readmodel.NewTee[string](read, also)
	require.NoError(t, err)
	_, err = also.Apply(t.Context(), []cqrsfeed.FeedChange[string]{{Item: cqrsfeed.Item[string]{ID: "x", Version: 1}, Feeds: []string{"go"}}})
	require.NoError(t, err)
	page, err := tee.Page(t.Context(), "go", "", 10)
	require.NoError(t, err)
	require.Empty(t, page.Items)
	feeds, err := tee.Feeds(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, feeds)
	version, err := tee.ItemVersion(t.Context(), "x")
	require.NoError(t, err)
	require.Zero(t, version)
}

func TestTeeRecountsBoth(t *testing.T) {
	t.Parallel()
	read := &failing{recounts: []cqrsfeed.FeedUpdated{{Feed: "go", Revision: 7}}}
	also := &failing{recounts: []cqrsfeed.FeedUpdated{{Feed: "other", Revision: 1}}}
	tee, err := readmodel.NewTee[string](read, also)
	require.NoError(t, err)
	updated, err := tee.Recount(t.Context())
	require.NoError(t, err)
	require.Equal(t, read.recounts, updated)

	also.down.Store(true)
	updated, err = tee.Recount(t.Context())
	require.ErrorIs(t, err, errDown)
	require.ErrorContains(t, err, "second store")
	require.Equal(t, read.recounts, updated, "what was counted has to be announced")

	also.down.Store(false)
	read.cut = true
	updated, err = tee.Recount(t.Context())
	require.ErrorIs(t, err, errDown)
	require.ErrorContains(t, err, "read from")
	require.Equal(t, read.recounts, updated)

	_, err = readmodel.NewTee[string](nil, nil)
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
}
