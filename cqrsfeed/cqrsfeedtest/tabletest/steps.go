package tabletest

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

func testStates(t *testing.T, f fixture) {
	var before, after *cqrsfeed.Item[model.Body]
	p := f.New("other", func(_ context.Context, _ *sql.Tx, b, a *cqrsfeed.Item[model.Body]) error {
		before, after = b, a
		return nil
	})
	id := strings.Repeat("é", limits.MaxIDLength/2)
	created, updated := model.State(id, 1, 3, "a", "b"), model.State(id, 2, 3, "c")
	created = model.Encoded(created, `{"text":"a","later":9007199254740993}`)
	updated = model.Encoded(updated, `{"text":"quotes ' \" \\ and 🎈", "later" : "<>"}`)
	require.NoError(t, errors.Join(created.Item.DecodeBody(), updated.Item.DecodeBody()))
	model.RequireVersion(t, p, id, 0)

	applyEvents(t, p, created)
	require.Nil(t, before)
	require.Equal(t, &created.Item, after)
	applyEvents(t, p, updated)
	require.Equal(t, counted(t, created), before)
	require.Equal(t, &updated.Item, after)
	applyEvents(t, p, model.Tombstone(id, 3, 3))
	require.Equal(t, counted(t, updated), before)
	require.Nil(t, after)
	model.RequireVersion(t, p, id, 3)
	_, err := p.ItemVersion(t.Context(), "")
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
}

// counted returns a state as the next step begins with it: without the fields that the counting release did not know.
func counted(t *testing.T, c model.Change) *cqrsfeed.Item[model.Body] {
	t.Helper()
	item := c.Item
	item.Encoded = nil
	var err error
	item.Encoded, err = item.EncodedBody()
	require.NoError(t, err)
	return &item
}

func testRepeats(t *testing.T, f fixture) {
	p := f.open()
	first, second, third := model.State("x", 1, 0, "a", "b"), model.State("x", 2, 0, "b"), model.State("x", 3, 0, "b", "c")
	applyEvents(t, p, first)
	applyEvents(t, p, first)
	applyEvents(t, p, third)
	applyEvents(t, p, second)
	applyEvents(t, p, third)
	require.Equal(t, []model.Step{{Item: "x", To: 1}, {Item: "x", From: 1, To: 3}}, f.counts.Steps(t), "version 2 came too late")
	f.counts.Require(t, itemsOf(third))

	applyEvents(t, p, model.Tombstone("x", 4, 0))
	applyEvents(t, p, third)
	applyEvents(t, p, model.Tombstone("y", 2, 0))
	applyEvents(t, p, model.State("y", 1, 0, "a"))
	f.counts.Require(t, nil)
	require.Len(t, f.counts.Steps(t), 3, "an item that was never there makes no step")
}

func testBatch(t *testing.T, f fixture) {
	p := f.open()
	updates, err := p.Apply(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, updates)
	first, second := model.State("x", 1, 0, "a"), model.State("x", 2, 0, "b")
	applyEvents(t, p, second, model.State("y", 1, 1, "b"), first, second)
	require.Equal(t, []model.Step{{Item: "x", To: 2}, {Item: "y", To: 1}}, f.counts.Steps(t))

	many := model.ManyItems(1200)
	applyEvents(t, p, many...)
	all := itemsOf(append(many, second, model.State("y", 1, 1, "b"))...)
	f.counts.Require(t, all)
	f.counts.RequireChains(t, all)
}

func testTwo(t *testing.T, f fixture) {
	p := f.open()
	var steps int
	other := f.New("other", func(context.Context, *sql.Tx, *cqrsfeed.Item[model.Body], *cqrsfeed.Item[model.Body]) error {
		steps++
		return nil
	})
	x := model.State("x", 1, 0, "a")
	applyEvents(t, p, x)
	applyEvents(t, other, x)
	require.NoError(t, other.Clear(t.Context(), func(context.Context, *sql.Tx) error { return nil }))
	applyEvents(t, p, x)
	applyEvents(t, other, x)
	require.Equal(t, 2, steps)
	f.counts.RequireChains(t, itemsOf(x))
}
