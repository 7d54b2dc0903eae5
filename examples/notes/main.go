// Notes is the smallest application whose pages update themselves: each note has a tag, and each tag has a page.
// It keeps them in notes.db in the current folder. Open http://localhost:8080/?go, and write a note:
//
//	curl -d text=hello -d tag=go localhost:8080/notes
package main

import (
	"context"
	"database/sql"
	_ "embed"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

type note struct{ Text, Tag string }

func tagsOf(n cqrsfeed.Item[note]) []string { return []string{n.Body.Tag} }

//go:embed page.html
var page string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	db := must(sql.Open("sqlite", sqlitestore.DSN("notes.db")))
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[note](store, "note"))
	feeds := must(sqlitestore.NewFeedStore[note](store, "note"))
	check(store.EnsureSchema(ctx))

	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox()}, nil))
	tags := must(feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{Items: notes, Store: feeds, FeedsOf: tagsOf}))
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) })
	http.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	http.HandleFunc("POST /notes", func(w http.ResponseWriter, r *http.Request) {
		n, err := notes.Create(r.Context(), watermill.NewULID(), note{r.FormValue("text"), r.FormValue("tag")})
		tags.Reply(w, r, http.StatusCreated, n, err)
	})
	check(app.ListenAndServe(ctx, &http.Server{Addr: "localhost:8080", ReadTimeout: 5 * time.Second}))
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
