package mysqlstore_test

import (
	"context"
	"database/sql"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/mysqlstore"
)

// Each instance of an application runs this. The streams of all show what one writes.
//
//nolint:testableexamples // needs a MySQL server; integration/mysqlstore runs the same
func ExampleNewLive() {
	ctx, logger := context.Background(), watermill.NewSlogLogger(slog.Default())
	db, err := sql.Open("mysql", "user:password@tcp(localhost:3306)/blog")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	store, err := mysqlstore.New(db, mysqlstore.Config{})
	if err != nil {
		panic(err)
	}
	live, err := mysqlstore.NewLive(store, mysqlstore.LiveConfig{}, logger)
	if err != nil {
		panic(err)
	}
	defer live.Close() // after app.Run
	if err := store.EnsureSchema(ctx); err != nil {
		panic(err)
	}
	app, err := feedmill.New(feedmill.Config{Outbox: store.Outbox(), Live: live}, logger)
	if err != nil {
		panic(err)
	}
	if err := app.Run(ctx); err != nil {
		panic(err)
	}
}
