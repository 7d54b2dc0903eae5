package sqlitestore_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/internal/releasestest"
)

// TestReleasesSideBySide runs the recipes of docs/changing-items.md.
func TestReleasesSideBySide(t *testing.T) {
	t.Parallel()
	for name, recipe := range map[string]func(*testing.T, *sql.DB){
		"add a field": func(t *testing.T, db *sql.DB) {
			t.Helper()
			releasestest.Add(t, release[releasestest.Note](t, db), release[releasestest.NoteWithStars](t, db))
		},
		"remove a field": func(t *testing.T, db *sql.DB) {
			t.Helper()
			releasestest.Remove(t, release[releasestest.NoteWithStars](t, db), release[releasestest.Note](t, db), release[releasestest.NoteWithoutStars](t, db))
		},
		"rename a field": func(t *testing.T, db *sql.DB) {
			t.Helper()
			releasestest.Rename(t, release[releasestest.Note](t, db), release[releasestest.NoteReadsTitle](t, db), release[releasestest.NoteWithTitle](t, db))
		},
		"change a type": func(t *testing.T, db *sql.DB) {
			t.Helper()
			releasestest.Retype(t, release[releasestest.Task](t, db), release[releasestest.TaskReadsNames](t, db), release[releasestest.TaskWithNames](t, db))
		},
		"expand and contract": func(t *testing.T, db *sql.DB) {
			t.Helper()
			releasestest.ExpandAndContract(t,
				release[releasestest.Person](t, db), release[releasestest.PersonExpanded](t, db), release[releasestest.PersonContracted](t, db))
		},
		"in one step": func(t *testing.T, db *sql.DB) {
			t.Helper()
			releasestest.InOneStep(t, release[releasestest.Task](t, db), release[releasestest.TaskWithNames](t, db))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recipe(t, openFile(t))
		})
	}
}

// release opens an instance of a release.
func release[T any](t *testing.T, db *sql.DB) releasestest.Release[T] {
	t.Helper()
	store := newStore(t, db)
	notes, err := sqlitestore.NewRepository[T](store, "note")
	require.NoError(t, err)
	feeds, err := sqlitestore.NewFeedStore[T](store, "note")
	require.NoError(t, err)
	require.NoError(t, store.EnsureSchema(t.Context()))
	return releasestest.Release[T]{Notes: notes, Feeds: feeds, Outbox: store.Outbox()}
}
