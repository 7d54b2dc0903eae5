package cqrsfeedtest

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

func testCreate(t *testing.T, f RepositoryFixture) {
	before := time.Now().Truncate(time.Microsecond)
	body := Body{Text: "hello", Tags: []string{"a", "b"}}
	item, err := f.Repository.Create(t.Context(), "one", body)
	require.NoError(t, err)

	assert.Equal(t, "one", item.ID)
	assert.Equal(t, int64(1), item.Version)
	assert.Equal(t, body, item.Body)
	assert.False(t, item.Deleted)
	assert.Equal(t, item.CreatedAt, item.UpdatedAt)
	assert.WithinRange(t, item.CreatedAt, before, time.Now())
	assert.Equal(t, time.UTC, item.CreatedAt.Location())
	assert.Equal(t, item.CreatedAt.Truncate(time.Microsecond), item.CreatedAt, "finer than a microsecond")

	stored, err := f.Repository.Get(t.Context(), "one")
	require.NoError(t, err)
	assert.Equal(t, item, stored)
}

func testCreateTaken(t *testing.T, f RepositoryFixture) {
	item := f.mustCreate(t, "one")
	drainAll(t, f.Outbox)
	_, err := f.Repository.Create(t.Context(), "one", Body{Text: "another"})
	require.ErrorIs(t, err, cqrsfeed.ErrExists)
	f.requireUnchanged(t, item)

	_, err = f.Repository.Delete(t.Context(), "one")
	require.NoError(t, err)
	drainAll(t, f.Outbox)
	_, err = f.Repository.Create(t.Context(), "one", Body{Text: "another"})
	require.ErrorIs(t, err, cqrsfeed.ErrExists, "the versions of a deleted item must not begin again")
	require.Empty(t, drainAll(t, f.Outbox))
}

func testCreateRace(t *testing.T, f RepositoryFixture) {
	var created, refused atomic.Int64
	var racers sync.WaitGroup
	for range 16 {
		racers.Go(func() {
			_, err := f.Repository.Create(t.Context(), "one", Body{})
			if err == nil {
				created.Add(1)
			} else if assert.ErrorIs(t, err, cqrsfeed.ErrExists) {
				refused.Add(1)
			}
		})
	}
	racers.Wait()
	assert.Equal(t, int64(1), created.Load())
	assert.Equal(t, int64(15), refused.Load())
	assert.Len(t, drainAll(t, f.Outbox), 1)
}

func testValues(t *testing.T, f RepositoryFixture) {
	texts := map[string]string{
		"empty":     "",
		"emoji":     "a 😀 b 👩‍👩‍👧‍👦 c",
		"scripts":   "Grüße, Ελληνικά, 日本語, עברית, नमस्ते, e\u0301",
		"quotes":    `'single' "double" ` + "`back` \\ \\' \\0 %s ? ; -- /* */",
		"controls":  "nul \x00 bell \x07 tab \t lf \n cr \r del \x7f u2028 \u2028",
		"html":      `<script>alert("&")</script>`,
		"edge":      "\U0010ffff \ufffd \ufeff",
		"number":    "12345678901234567890.10",
		"backslash": `C:\temp\new \u0041`,
	}
	longest := strings.Repeat("😀", cqrsfeed.MaxIDLength/len("😀"))
	texts[longest] = "the longest id"
	for _, id := range oddIDs() {
		texts[id] = "text of " + id
	}
	for id, text := range texts {
		created, err := f.Repository.Create(t.Context(), id, Body{Text: text, Tags: []string{text}})
		require.NoError(t, err, "id %q", id)
		stored, err := f.Repository.Get(t.Context(), id)
		require.NoError(t, err, "id %q", id)
		assert.Equal(t, created, stored)
		updated, err := f.Repository.Update(t.Context(), id, func(body *Body) error {
			body.Text += text
			return nil
		})
		require.NoError(t, err, "id %q", id)
		assert.Equal(t, text+text, updated.Body.Text)
	}
	for _, m := range drainAll(t, f.Outbox) {
		item, err := cqrsfeed.DecodeItem[Body](m.Message)
		require.NoError(t, err)
		assert.Equal(t, []string{texts[item.ID]}, item.Body.Tags)
	}
}

func testHugeBody(t *testing.T, f RepositoryFixture) {
	huge := strings.Repeat("0123456789abcde😀", 100_000)
	_, err := f.Repository.Create(t.Context(), "huge", Body{Text: huge})
	require.NoError(t, err)
	_, err = f.Repository.Update(t.Context(), "huge", func(body *Body) error {
		body.Tags = []string{"huge"}
		return nil
	})
	require.NoError(t, err)
	item, err := f.Repository.Get(t.Context(), "huge")
	require.NoError(t, err)
	require.True(t, sameText(huge, item.Body.Text), "the text came back otherwise")
	events := drainAll(t, f.Outbox)
	require.Len(t, events, 2)
	event := decodeUpdated(t, events[1])
	require.True(t, sameText(huge, event.Original.Body.Text), "the event has another original")
	require.True(t, sameText(huge, event.Item.Body.Text), "the event has another text")
}

// sameText keeps megabytes out of the output of a test that fails.
func sameText(want, got string) bool { return want == got }

func testEndedContext(t *testing.T, f RepositoryFixture) {
	item := f.mustCreate(t, "one")
	drainAll(t, f.Outbox)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Repository.Create(ended, "two", Body{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.Repository.Update(ended, "one", setText("new"))
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.Repository.Delete(ended, "one")
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.Repository.Get(ended, "one")
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.Repository.Scan(ended, "", 1)
	require.ErrorIs(t, err, context.Canceled)
	f.requireUnchanged(t, item)

	during, cancel := context.WithCancel(t.Context())
	_, err = f.Repository.Update(during, "one", func(body *Body) error {
		body.Text = "new"
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	f.requireUnchanged(t, item)
}
