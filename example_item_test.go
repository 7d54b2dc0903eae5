package feedmill_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// An editor follows the item that it edits. The entity tag guards against a lost update.
func ExampleFeeds_Item() {
	ctx, stop := context.WithCancel(context.Background())
	db, store, notes, feeds := openExampleNotes(ctx)
	defer db.Close()
	must(notes.Create(ctx, "n1", Note{Text: "a", Tag: "go"}))

	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox()}, nil))
	tags := must(feedmill.AddFeeds(app, feedmill.FeedsConfig[Note]{
		Items: notes, Store: feeds, FeedsOf: tagsOf, View: func(n cqrsfeed.Item[Note]) any { return n.Body.Text },
	}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /notes/{id}", app.Router().AddTopicsHandler(tags.ItemTopics(), tags.Item("id")))
	server := httptest.NewServer(mux)
	stopped := make(chan error)
	go func() { stopped <- app.Run(ctx) }()

	states := follow(server.URL + "/notes/n1")
	fmt.Println(<-states)
	must(notes.Update(ctx, "n1", func(n *Note) error { n.Text = "b"; return nil }))
	fmt.Println(<-states)
	stop()
	check(<-stopped)
	server.Close()
	// Output:
	// "a"
	// "b"
}
