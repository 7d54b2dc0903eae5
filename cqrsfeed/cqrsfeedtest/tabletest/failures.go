package tabletest

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/internal/attempt"
)

func testFailure(t *testing.T, f fixture) {
	failure := errors.New("the step fails")
	broken := true
	p := f.New("tag_count", func(ctx context.Context, tx *sql.Tx, before, after *cqrsfeed.Item[model.Body]) error {
		err := f.counts.Step(ctx, tx, before, after)
		if broken && after.ID == "y" {
			return errors.Join(err, failure)
		}
		return err
	})
	batch := []model.Change{model.State("x", 1, 0, "a"), model.State("y", 1, 1, "a"), model.State("z", 1, 2, "a")}
	_, err := p.Apply(t.Context(), eventsOf(t, batch...))
	require.ErrorIs(t, err, failure)
	require.ErrorContains(t, err, `"y"`)
	require.Empty(t, driver.Refusals(err))
	require.Empty(t, f.counts.Steps(t))
	model.RequireVersion(t, p, "x", 0)
	broken = false
	applyEvents(t, p, batch...)
	f.counts.Require(t, itemsOf(batch...))
}

func testPanic(t *testing.T, f fixture) {
	broken := true
	p := f.New("tag_count", func(ctx context.Context, tx *sql.Tx, before, after *cqrsfeed.Item[model.Body]) error {
		err := f.counts.Step(ctx, tx, before, after)
		if broken {
			panic("a step")
		}
		return err
	})
	require.PanicsWithValue(t, "a step", func() { _, _ = p.Apply(t.Context(), eventsOf(t, model.State("x", 1, 0, "a"))) })
	broken = false
	applyEvents(t, p, model.State("x", 1, 0, "a"))
	require.Equal(t, []model.Step{{Item: "x", To: 1}}, f.counts.Steps(t))
}

func testRefused(t *testing.T, f fixture) {
	mended := false
	p := f.New("tag_count", func(ctx context.Context, tx *sql.Tx, before, after *cqrsfeed.Item[model.Body]) error {
		if after != nil && after.ID == "y" && after.Version == 2 && !mended {
			return &cqrsfeed.RefusedError{Reason: errors.New("nobody counts this")}
		}
		return f.counts.Step(ctx, tx, before, after)
	})
	x, y := model.State("x", 1, 0, "a"), model.State("y", 2, 0, "b")
	applyEvents(t, p, model.State("y", 1, 0, "a"))
	batch := eventsOf(t, x, model.State("y", 1, 0, "a"), y)
	_, err := p.Apply(t.Context(), batch)
	refusals := driver.Refusals(err)
	require.Len(t, refusals, 1)
	require.Same(t, batch[2], refusals[0].Message)
	require.ErrorContains(t, refusals[0].Reason, "nobody counts this")
	f.counts.Require(t, nil) // the refused version is withheld, and the others come again

	garbage := []*message.Message{message.NewMessage("1", []byte("{")), batch[0], message.NewMessage("2", []byte("{}"))}
	_, err = p.Apply(t.Context(), garbage)
	refusals = driver.Refusals(err)
	require.Len(t, refusals, 2)
	require.Same(t, garbage[0], refusals[0].Message)
	require.Same(t, garbage[2], refusals[1].Message)
	applyEvents(t, p, x, model.State("y", 1, 0, "a"))
	f.counts.Require(t, itemsOf(x))

	mended = true
	applyEvents(t, p, y) // it was returned, or replayed
	applyEvents(t, p, y)
	f.counts.Require(t, itemsOf(x, y))
	require.Len(t, f.counts.Steps(t), 4)
}

// testSetAside has a version that this release cannot decode. It is withheld by the last attempt to apply it.
func testSetAside(t *testing.T, f fixture) {
	p := f.open()
	x, other := model.State("x", 1, 0, "a"), model.State("x", 2, 0, "b")
	applyEvents(t, p, x)
	batch := eventsOf(t, model.Undecodable(other))
	_, err := p.Apply(t.Context(), batch)
	require.Len(t, driver.Failures(err), 1)
	f.counts.Require(t, itemsOf(x))
	_, err = p.Apply(attempt.WithLast(t.Context()), batch)
	refusals := driver.Refusals(err)
	require.Len(t, refusals, 1)
	require.Same(t, batch[0], refusals[0].Message)
	f.counts.Require(t, nil)
	applyEvents(t, p, other) // by a release that decodes it
	_, err = p.Apply(attempt.WithLast(t.Context()), batch)
	require.Len(t, driver.Refusals(err), 1)
	f.counts.Require(t, itemsOf(other))
}
