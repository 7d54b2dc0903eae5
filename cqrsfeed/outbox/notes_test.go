package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
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
	queue, err = sqlitestore.NewOutbox(db, sqlitestore.OutboxConfig{})
	must(err)
	notes, err = sqlitestore.NewRepository[Note](db, queue, sqlitestore.RepositoryConfig{
		Topics: cqrsfeed.Topics{Created: "note-created", Updated: "note-updated", Deleted: "note-deleted"},
	})
	must(err)
	feeds, err = sqlitestore.NewFeedStore[Note](db, sqlitestore.FeedStoreConfig{})
	must(err)
	must(errors.Join(queue.EnsureSchema(ctx), notes.EnsureSchema(ctx), feeds.EnsureSchema(ctx)))
	return notes, queue, feeds, func() {
		must(db.Close())
		must(os.RemoveAll(dir))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
