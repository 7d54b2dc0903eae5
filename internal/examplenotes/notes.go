// Package examplenotes opens the stores that the examples of several packages run on.
package examplenotes

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver

	"github.com/feedmill/feedmill/adapters/sqlitestore"
)

// Note is what the examples store.
type Note struct {
	Text string
	Tags []string
}

// Open returns a write model with its outbox and feeds in an SQLite file that done removes. It panics if it fails.
func Open(ctx context.Context) (
	notes *sqlitestore.Repository[Note], queue *sqlitestore.Outbox, feeds *sqlitestore.FeedStore[Note], done func(),
) {
	dir, err := os.MkdirTemp("", "notes")
	check(err)
	db, err := sql.Open("sqlite", sqlitestore.DSN(filepath.Join(dir, "notes.db")))
	check(err)
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	check(err)
	notes, err = sqlitestore.NewRepository[Note](store, "note")
	check(err)
	feeds, err = sqlitestore.NewFeedStore[Note](store, "note")
	check(err)
	check(store.EnsureSchema(ctx))
	return notes, store.Outbox(), feeds, func() { check(errors.Join(db.Close(), os.RemoveAll(dir))) }
}

func check(err error) {
	if err != nil {
		panic(fmt.Errorf("open the stores of an example: %w", err))
	}
}
