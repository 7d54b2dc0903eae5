package repositorytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// importer returns the repository's optional interface.
func (f Fixture) importer(t *testing.T) cqrsfeed.Importer[model.Body] {
	t.Helper()
	i, ok := f.Repository.(cqrsfeed.Importer[model.Body])
	require.True(t, ok, "%T does not implement cqrsfeed.Importer", f.Repository)
	return i
}

// rowsOf returns the items, and then an error unless it is nil.
func rowsOf(items []cqrsfeed.Item[model.Body], err error) iter.Seq2[cqrsfeed.Item[model.Body], error] {
	return func(yield func(cqrsfeed.Item[model.Body], error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			yield(cqrsfeed.Item[model.Body]{}, err)
		}
	}
}

// oldItem returns an item that is older than the repository.
func oldItem(id string, createdAt time.Time) cqrsfeed.Item[model.Body] {
	return cqrsfeed.Item[model.Body]{ID: id, Body: model.Body{Text: "old " + id, Tags: []string{"a"}}, CreatedAt: createdAt}
}

// oldTime returns a time with nanoseconds, which no store keeps.
func oldTime() time.Time {
	return time.Date(2009, 11, 10, 23, 0, 0, 123_456_789, time.FixedZone("elsewhere", 5*60*60))
}

func testImport(t *testing.T, f Fixture) {
	var items []cqrsfeed.Item[model.Body]
	for i, id := range oddIDs() {
		item := oldItem(id, oldTime().Add(-time.Duration(i)*time.Hour))
		if i%2 == 0 {
			item.UpdatedAt = item.CreatedAt.Add(time.Minute)
		}
		item.Version = 7 // ignored
		items = append(items, item)
	}
	summary, err := f.importer(t).Import(t.Context(), rowsOf(items, nil), nil)
	require.NoError(t, err)
	assert.Equal(t, cqrsfeed.ImportSummary{Stored: int64(len(items))}, summary)
	for _, item := range items {
		stored := f.mustGet(t, item.ID)
		assert.Equal(t, int64(1), stored.Version)
		assert.Equal(t, item.Body, stored.Body)
		assert.Equal(t, item.CreatedAt.UTC().Truncate(time.Microsecond), stored.CreatedAt)
		updatedAt := item.UpdatedAt
		if updatedAt.IsZero() {
			updatedAt = item.CreatedAt
		}
		assert.Equal(t, updatedAt.UTC().Truncate(time.Microsecond), stored.UpdatedAt)
	}
	assert.Empty(t, outboxes.DrainAll(t, f.Outbox), "an import is not announced")

	changed := f.mustUpdate(t, items[0].ID, setText("new"))
	assert.Equal(t, int64(2), changed.Version)
	assert.Equal(t, items[0].CreatedAt.UTC().Truncate(time.Microsecond), changed.CreatedAt)
	assert.Len(t, outboxes.DrainAll(t, f.Outbox), 1)
}

// testImportKeeps imports items of another release, one of them changed since it was read.
func testImportKeeps(t *testing.T, f Fixture) {
	read, changed := oldItem("read", oldTime()), oldItem("changed", oldTime())
	for _, item := range []*cqrsfeed.Item[model.Body]{&read, &changed} {
		item.Encoded = json.RawMessage(later)
		require.NoError(t, item.DecodeBody())
	}
	changed.Body.Text = "changed"
	undecodable, invalid := oldItem("undecodable", oldTime()), oldItem("invalid", oldTime())
	undecodable.Body, undecodable.Encoded = model.Body{}, json.RawMessage(`{"text":5}`)
	invalid.Body, invalid.Encoded = model.Body{}, json.RawMessage(`{"text":`)
	var refused []string
	items := []cqrsfeed.Item[model.Body]{read, changed, undecodable, invalid}
	summary, err := f.importer(t).Import(t.Context(), rowsOf(items, nil), func(item cqrsfeed.Item[model.Body], reason error) {
		require.ErrorIs(t, reason, cqrsfeed.ErrInvalid)
		refused = append(refused, item.ID)
	})
	require.NoError(t, err)
	assert.Equal(t, cqrsfeed.ImportSummary{Stored: 2, Refused: 2}, summary)
	assert.Equal(t, []string{"undecodable", "invalid"}, refused)

	stored := f.mustGet(t, "read")
	assertEncoded(t, later, stored.Encoded)
	scanned, err := f.Repository.Scan(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, scanned, 2)
	assertEncoded(t, `{"text":"changed","tags":["b"],"score":1}`, scanned[0].Encoded)
	assertEncoded(t, later, scanned[1].Encoded)
}

// testImportAgain stops an import in the middle and calls it again. Existing items must not change.
func testImportAgain(t *testing.T, f Fixture) {
	const n = 1300
	var items []cqrsfeed.Item[model.Body]
	for i := range n {
		items = append(items, oldItem(fmt.Sprintf("%04d", i), oldTime()))
	}
	live := f.mustCreate(t, "0000")
	f.mustCreate(t, "0001")
	f.mustDelete(t, "0001")
	outboxes.DrainAll(t, f.Outbox)

	stopped := errors.New("the connection to the old database is lost")
	first, err := f.importer(t).Import(t.Context(), rowsOf(items[:1100], stopped), nil)
	require.ErrorIs(t, err, stopped)
	require.Positive(t, first.Stored, "what was read before is stored in batches")
	second, err := f.importer(t).Import(t.Context(), rowsOf(append(items, items[n-1]), nil), nil)
	require.NoError(t, err)
	assert.Equal(t, int64(n-2), first.Stored+second.Stored)
	assert.Equal(t, int64(n+1), second.Stored+second.Passed)
	_, err = f.Repository.Get(t.Context(), "0001")
	require.ErrorIs(t, err, cqrsfeed.ErrNotFound, "a deleted item does not come back")
	f.requireUnchanged(t, live)
}

// testImportDeleted imports the results of Scan, with deleted and erased items.
func testImportDeleted(t *testing.T, f Fixture) {
	deleted, erased, alive := oldItem("deleted", oldTime()), oldItem("erased", oldTime()), oldItem("alive", oldTime())
	deleted.Version, deleted.Deleted, deleted.UpdatedAt = 2, true, oldTime().Add(time.Hour)
	erased.Version, erased.Deleted, erased.Body, erased.Encoded = 3, true, model.Body{}, json.RawMessage("null")
	noID := oldItem("", oldTime())
	noID.Deleted = true
	items := []cqrsfeed.Item[model.Body]{deleted, erased, alive, noID}
	for _, want := range []cqrsfeed.ImportSummary{{Stored: 3, Refused: 1}, {Passed: 3, Refused: 1}} {
		summary, err := f.importer(t).Import(t.Context(), rowsOf(items, nil), nil)
		require.NoError(t, err)
		assert.Equal(t, want, summary)
	}

	stored, err := f.Repository.Scan(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, stored, 3)
	assert.Equal(t, "alive", stored[0].ID)
	assert.False(t, stored[0].Deleted)
	for i, item := range []cqrsfeed.Item[model.Body]{deleted, erased} {
		tombstone := stored[1+i]
		assert.Equal(t, item.ID, tombstone.ID)
		assert.True(t, tombstone.Deleted)
		assert.Equal(t, int64(1), tombstone.Version)
		assert.Equal(t, model.Body{}, tombstone.Body)
		assert.Equal(t, "null", string(tombstone.Encoded))
		assert.Equal(t, item.CreatedAt.UTC().Truncate(time.Microsecond), tombstone.CreatedAt)
		_, err := f.Repository.Get(t.Context(), item.ID)
		require.ErrorIs(t, err, cqrsfeed.ErrNotFound)
		_, err = f.Repository.Create(t.Context(), item.ID, model.Body{})
		require.ErrorIs(t, err, cqrsfeed.ErrExists)
	}
	assert.Equal(t, deleted.UpdatedAt.UTC().Truncate(time.Microsecond), stored[1].UpdatedAt)
	assert.Empty(t, outboxes.DrainAll(t, f.Outbox), "an import is not announced")
}

// testImportRefuses imports bad rows among good ones.
func testImportRefuses(t *testing.T, f Fixture) {
	tooLarge := oldItem("large", oldTime())
	tooLarge.Body.Text = strings.Repeat("x", limits.DefaultEventBytes)
	items := []cqrsfeed.Item[model.Body]{
		oldItem("good", oldTime()), oldItem("", oldTime()), oldItem("no time", time.Time{}), tooLarge,
		oldItem(strings.Repeat("x", limits.MaxIDLength+1), oldTime()), oldItem("good too", oldTime()),
	}
	var refused []string
	summary, err := f.importer(t).Import(t.Context(), rowsOf(items, nil), func(item cqrsfeed.Item[model.Body], reason error) {
		require.ErrorIs(t, reason, cqrsfeed.ErrInvalid)
		refused = append(refused, item.ID)
	})
	require.NoError(t, err)
	assert.Equal(t, cqrsfeed.ImportSummary{Stored: 2, Refused: 4}, summary)
	assert.Equal(t, []string{"", "no time", "large", items[4].ID}, refused)
	stored, err := f.Repository.Scan(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, stored, 2)
	assert.Equal(t, "good", stored[0].ID)
	assert.Equal(t, "good too", stored[1].ID)
}

// testImportRace imports the same items several times at once, in different orders, while they are created too.
func testImportRace(t *testing.T, f Fixture) {
	const n, imports = 300, 3
	var items []cqrsfeed.Item[model.Body]
	for i := range n {
		items = append(items, oldItem(fmt.Sprintf("%03d", i), oldTime()))
	}
	var running sync.WaitGroup
	var mu sync.Mutex
	stored := int64(0)
	for range imports {
		order := slices.Clone(items)
		slices.Reverse(items)
		running.Go(func() {
			summary, err := f.importer(t).Import(t.Context(), rowsOf(order, nil), nil)
			if assert.NoError(t, err) {
				assert.Equal(t, int64(n), summary.Stored+summary.Passed)
			}
			mu.Lock()
			defer mu.Unlock()
			stored += summary.Stored
		})
	}
	running.Go(func() {
		for i := 0; i < n; i += 10 {
			_, err := f.Repository.Create(t.Context(), fmt.Sprintf("%03d", i), model.Body{})
			if err == nil {
				mu.Lock()
				stored++
				mu.Unlock()
				continue
			}
			assert.ErrorIs(t, err, cqrsfeed.ErrExists)
		}
	})
	running.Wait()
	assert.Equal(t, int64(n), stored, "each item is stored once")
}
