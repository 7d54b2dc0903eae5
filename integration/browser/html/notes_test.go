package html_test

import (
	"context"
	"database/sql"
	"html/template"
	"io"
	"net/http"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/ssestream"
)

// What follows is the program of docs/html.md.

type note struct{ Text, Tag string }

func tagsOf(n cqrsfeed.Item[note]) []string { return []string{n.Body.Tag} }

// serveNotes returns the application and its routes.
func serveNotes(ctx context.Context, db *sql.DB) (*feedmill.App, *http.ServeMux) {
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[note](store, "note"))
	feeds := must(sqlitestore.NewFeedStore[note](store, "note"))
	check(store.EnsureSchema(ctx))
	app := must(feedmill.New(feedmill.Config{
		Outbox: store.Outbox(), Router: ssestream.RouterConfig{Retry: 200 * time.Millisecond},
	}, nil))
	// The element finds its place on a page by its id. For htmx, hx-swap-oob says so; Turbo and Datastar ignore it.
	list := must(template.New("notes").Parse(
		`<ul id="notes-{{.Feed.Name}}" hx-swap-oob="true">{{range .Items}}<li>{{.Body.Text}}</li>{{end}}</ul>`))
	tags := must(feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{
		Items: notes, Store: feeds, FeedsOf: tagsOf,
		Render: func(_ context.Context, w io.Writer, page any) error { return list.Execute(w, page) },
	}))

	pages, topics := tags.Pages("tag", nil), []string{tags.Topic()}
	htmx := pages.HTML(ssestream.NamedEvent("message"))
	turbo := pages.HTML(ssestream.TurboStream("replace", "notes-{key}"))
	datastar := pages.HTML(ssestream.DatastarElements)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /json/{tag}", app.Handle(pages, topics...))
	mux.HandleFunc("GET /htmx/{tag}", app.Handle(htmx, topics...))
	mux.HandleFunc("GET /turbo/{tag}", app.Handle(turbo, topics...))
	mux.HandleFunc("GET /datastar/{tag}", app.Handle(datastar, topics...))
	mux.HandleFunc("GET /streams", must(app.Streams( // several on one connection
		ssestream.Stream{Pattern: "htmx:{tag}", Topics: topics, Adapter: htmx},
		ssestream.Stream{Pattern: "turbo:{tag}", Topics: topics, Adapter: turbo},
		ssestream.Stream{Pattern: "datastar:{tag}", Topics: topics, Adapter: datastar},
	)))
	mux.HandleFunc("POST /notes", func(w http.ResponseWriter, r *http.Request) {
		n, err := notes.Create(r.Context(), watermill.NewULID(), note{r.FormValue("text"), r.FormValue("tag")})
		tags.Reply(w, r, http.StatusCreated, n, err)
	})

	return app, mux
}

func must[T any](value T, err error) T {
	check(err)

	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
