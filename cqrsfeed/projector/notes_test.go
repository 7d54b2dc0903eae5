package projector_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
)

// Note is what the examples store.
type Note struct {
	Text string
	Tags []string
}

// openNotes returns a write model with its outbox and feeds in an SQLite file that done removes.
func openNotes(ctx context.Context) (
	notes *sqlitestore.Repository[Note], queue *sqlitestore.Outbox, feeds *sqlitestore.FeedStore[Note], done func(),
) {
	dir, err := os.MkdirTemp("", "notes")
	must(err)
	db, err := sql.Open("sqlite", sqlitestore.DSN(filepath.Join(dir, "notes.db")))
	must(err)
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	must(err)
	notes, err = sqlitestore.NewRepository[Note](store, "note")
	must(err)
	feeds, err = sqlitestore.NewFeedStore[Note](store, "note")
	must(err)
	must(store.EnsureSchema(ctx))
	return notes, store.Outbox(), feeds, func() {
		must(db.Close())
		must(os.RemoveAll(dir))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
