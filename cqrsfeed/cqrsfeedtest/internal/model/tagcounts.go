package model

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// TagCounts are the tables of a table projection: the number of items of each tag, and the steps that led to it. Statements
// have no parameters, because databases write them differently.
type TagCounts struct{ DB *sql.DB }

// Create creates the tables.
func (c TagCounts) Create(t *testing.T) {
	t.Helper()
	for _, statement := range []string{
		"CREATE TABLE tag_counts (tag VARCHAR(64) NOT NULL PRIMARY KEY, items BIGINT NOT NULL)",
		"CREATE TABLE tag_steps (item VARCHAR(200) NOT NULL, step_from BIGINT NOT NULL, step_to BIGINT NOT NULL)",
	} {
		_, err := c.DB.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
}

// Step updates the counts of the tags of an item. It reads each count and then writes it, which only serial steps may do.
func (TagCounts) Step(ctx context.Context, tx *sql.Tx, before, after *cqrsfeed.Item[Body]) error {
	growth := make(map[string]int64)
	var id string
	var from, to int64
	if before != nil {
		id, from = before.ID, before.Version
		for _, tag := range before.Body.Tags {
			growth[tag]--
		}
	}
	if after != nil {
		id, to = after.ID, after.Version
		for _, tag := range after.Body.Tags {
			growth[tag]++
		}
	}
	for tag, n := range growth {
		if err := addToCount(ctx, tx, tag, n); err != nil {
			return fmt.Errorf("count tag %q: %w", tag, err)
		}
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO tag_steps (item, step_from, step_to) VALUES ('%s', %d, %d)", id, from, to))
	return err
}

func addToCount(ctx context.Context, tx *sql.Tx, tag string, n int64) error {
	var count int64
	err := tx.QueryRowContext(ctx, fmt.Sprintf("SELECT items FROM tag_counts WHERE tag = '%s'", tag)).Scan(&count)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		_, err = tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO tag_counts (tag, items) VALUES ('%s', %d)", tag, n))
	case err == nil:
		_, err = tx.ExecContext(ctx, fmt.Sprintf("UPDATE tag_counts SET items = %d WHERE tag = '%s'", count+n, tag))
	}
	return err
}

// Clear deletes all that Step wrote.
func (TagCounts) Clear(ctx context.Context, tx *sql.Tx) error {
	_, counts := tx.ExecContext(ctx, "DELETE FROM tag_counts")
	_, steps := tx.ExecContext(ctx, "DELETE FROM tag_steps")
	return errors.Join(counts, steps)
}

// Require requires that the counts are those of items.
func (c TagCounts) Require(t *testing.T, items []cqrsfeed.Item[Body]) {
	t.Helper()
	want := make(map[string]int64)
	for _, item := range items {
		for _, tag := range item.Body.Tags {
			if !item.Deleted {
				want[tag]++
			}
		}
	}
	got := make(map[string]int64)
	rows, err := c.DB.QueryContext(t.Context(), "SELECT tag, items FROM tag_counts WHERE items <> 0")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var tag string
		var count int64
		require.NoError(t, rows.Scan(&tag, &count))
		got[tag] = count
	}
	require.NoError(t, rows.Err())
	require.Equal(t, want, got, "items of each tag")
}

// Step is a step of an item between two versions; 0 is none.
type Step struct {
	Item     string
	From, To int64
}

// Steps returns all steps.
func (c TagCounts) Steps(t *testing.T) (steps []Step) {
	t.Helper()
	rows, err := c.DB.QueryContext(t.Context(), "SELECT item, step_from, step_to FROM tag_steps ORDER BY item, step_from, step_to")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var s Step
		require.NoError(t, rows.Scan(&s.Item, &s.From, &s.To))
		steps = append(steps, s)
	}
	require.NoError(t, rows.Err())
	return steps
}

// RequireChains requires that the steps of each item lead from nothing to its newest state without a gap or a repetition.
func (c TagCounts) RequireChains(t *testing.T, items []cqrsfeed.Item[Body]) {
	t.Helper()
	next := make(map[Step]int64) // by item and From
	for _, s := range c.Steps(t) {
		begin := Step{Item: s.Item, From: s.From}
		_, twice := next[begin]
		require.False(t, twice, "%+v and another step from the same version", s)
		require.True(t, s.To == 0 || s.To > s.From, "%+v goes back", s)
		next[begin] = s.To
	}
	for _, item := range items {
		last := int64(0)
		for to, ok := next[Step{Item: item.ID}]; ok; to, ok = next[Step{Item: item.ID, From: last}] {
			delete(next, Step{Item: item.ID, From: last})
			last = to
			if to == 0 {
				break
			}
		}
		if item.Deleted {
			require.Zero(t, last, "the last step of deleted item %q", item.ID)
		} else {
			require.Equal(t, item.Version, last, "the last step of item %q", item.ID)
		}
	}
	require.Empty(t, next, "steps that follow none")
}
