package operate_test

import (
	"context"
	"database/sql"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
)

// counted is a table projection that counts notes by tag, with its Target.
type counted struct {
	db     *sql.DB
	target operate.Target[note]
}

// openCounted returns a projection that has counted two notes and whose table was then emptied.
func openCounted(t *testing.T) counted {
	t.Helper()
	db := openExample()
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[note](store, "note"))
	counts, err := sqlitestore.NewTableProjection(store, "counts", func(ctx context.Context, tx *sql.Tx, _, after *cqrsfeed.Item[note]) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO counts VALUES (?)", after.Body.Tag)
		return err
	})
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	must(db.ExecContext(t.Context(), "CREATE TABLE counts (tag TEXT)"))
	must(notes.Create(t.Context(), "a", note{Tag: "go"}))
	must(notes.Create(t.Context(), "b", note{Tag: "go"}))
	c := counted{db, operate.Target[note]{Source: notes, Store: counts.Model(), Clear: func(ctx context.Context) error {
		return counts.Clear(ctx, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM counts")
			return err
		})
	}}}
	require.NoError(t, operate.Run(t.Context(), operate.Command{Name: "rebuild"}, c.target, io.Discard, io.Discard))
	require.Equal(t, 2, c.rows(t))
	must(db.ExecContext(t.Context(), "DELETE FROM counts"))
	return c
}

func (c counted) rows(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, c.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM counts").Scan(&n))
	return n
}

func TestCommandRebuildsFromNothing(t *testing.T) {
	t.Parallel()
	c := openCounted(t)
	require.NoError(t, operate.Run(t.Context(), operate.Command{Name: "rebuild"}, c.target, io.Discard, io.Discard))
	require.Zero(t, c.rows(t), "a rebuild applies only what the projection has not applied")
	var results strings.Builder
	require.NoError(t, operate.Run(t.Context(), operate.Command{Name: "rebuild", Clear: true}, c.target, &results, io.Discard))
	require.Equal(t, 2, c.rows(t))
	require.NotContains(t, results.String(), "unchanged")

	c.target.Clear = nil
	err := operate.Run(t.Context(), operate.Command{Name: "rebuild", Clear: true}, c.target, &results, io.Discard)
	require.ErrorContains(t, err, "has no Clear")
}

func TestPageRebuildsFromNothing(t *testing.T) {
	t.Parallel()
	c := openCounted(t)
	fixed := c.target
	fixed.Clear = nil
	s := openSite(t, operate.HandlerConfig{ReadModels: []*operate.ReadModel{
		operate.NewReadModel("counts", c.target), operate.NewReadModel("fixed", fixed),
	}})
	_, page := s.do(http.MethodGet, "", nil, browser())
	require.Equal(t, 1, strings.Count(page, `value="remake"`), "only what can be cleared has the button")
	require.Contains(t, s.refused(http.StatusBadRequest, "action", "remake", "name", "counts"), "confirm=yes")
	require.Contains(t, s.refused(http.StatusNotFound, "action", "remake", "name", "fixed", "confirm", "yes"), "has no Clear")
	require.Zero(t, c.rows(t))

	require.Equal(t, `remake of "counts" has begun`,
		s.act("action", "remake", "name", "counts", "confirm", "yes", "after", "a"))
	job := s.await()
	require.Empty(t, job.Failure)
	require.Equal(t, "remake", job.Work)
	require.Equal(t, 2, c.rows(t), "it began with the first item")
}
