package feedmill_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/feedmill/feedmill"
)

// A page that follows several tags: one stream, which changes with each of them.
func ExampleFeeds_UnionHandler() {
	ctx, stop := context.WithCancel(context.Background())
	db, store, notes, feeds := openExampleNotes(ctx)
	defer db.Close()
	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox()}, nil))
	tags := must(feedmill.AddFeeds(app, feedmill.FeedsConfig[Note]{Items: notes, Store: feeds, FeedsOf: tagsOf}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds", tags.UnionHandler("tags"))
	server := httptest.NewServer(mux)
	stopped := make(chan error)
	go func() { stopped <- app.Run(ctx) }()

	states := follow(server.URL + "/feeds?tags=sse,go")
	fmt.Println(<-states)
	must(notes.Create(ctx, "1", Note{Text: "hello", Tag: "sse"}))
	fmt.Println(strings.Count(<-states, "hello"), "note")
	must(notes.Create(ctx, "2", Note{Text: "hello", Tag: "go"}))
	fmt.Println(strings.Count(<-states, "hello"), "notes")
	stop()
	check(<-stopped)
	server.Close()
	// Output:
	// {"feeds":[{"name":"go","count":0,"revision":0},{"name":"sse","count":0,"revision":0}],"items":[],"next":""}
	// 1 note
	// 2 notes
}
