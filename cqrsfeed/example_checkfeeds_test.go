package cqrsfeed_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// A note whose tags cannot be feeds is refused when it is written, instead of by the projection later.
func ExampleCheckFeeds() {
	ctx := context.Background()
	tagsOf := func(note cqrsfeed.Item[Note]) []string { return note.Body.Tags }

	db, err := sql.Open("sqlite", sqlitestore.DSN(":memory:"))
	must(err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	must(err)
	notes, err := sqlitestore.NewRepository(store, "note", cqrsfeed.CheckFeeds(tagsOf))
	must(err)
	must(store.EnsureSchema(ctx))

	_, err = notes.Create(ctx, "n1", Note{Text: "hello", Tags: []string{"go", strings.Repeat("o", 300)}})
	fmt.Println(errors.Is(err, cqrsfeed.ErrInvalid))
	_, err = notes.Get(ctx, "n1")
	fmt.Println(errors.Is(err, cqrsfeed.ErrNotFound))
	_, err = notes.Create(ctx, "n1", Note{Text: "hello", Tags: []string{"go"}})
	fmt.Println(err)
	// Output:
	// true
	// true
	// <nil>
}
