package feedmill_test

import (
	"context"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/feedmill/feedmill"
)

// A page that htmx keeps up to date, without a script of its own:
//
//	<ul hx-ext="sse" sse-connect="/feeds/go/html" sse-swap="message"></ul>
func ExampleFeeds_Pages() {
	ctx, stop := context.WithCancel(context.Background())
	db, store, notes, feeds := openExampleNotes(ctx)
	defer db.Close()

	list := template.Must(template.New("notes").Parse(`{{range .Items}}<li>{{.Body.Text}}</li>{{end}}`))
	app := must(feedmill.New(feedmill.Config{Outbox: store.Outbox()}, nil))
	tags := must(feedmill.AddFeeds(app, feedmill.FeedsConfig[Note]{
		Items: notes, Store: feeds, FeedsOf: tagsOf,
		Render: func(_ context.Context, w io.Writer, page any) error { return list.Execute(w, page) },
	}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	mux.HandleFunc("GET /feeds/{tag}/html", app.Handle(tags.Pages("tag", nil).HTML(nil), tags.Topic()))
	server := httptest.NewServer(mux)
	stopped := make(chan error)
	go func() { stopped <- app.Run(ctx) }()

	states := follow(server.URL + "/feeds/go/html")
	fmt.Printf("%q\n", <-states)
	must(notes.Create(ctx, "n1", Note{Text: "1 < 2", Tag: "go"}))
	fmt.Printf("%q\n", <-states)
	stop()
	check(<-stopped)
	server.Close()
	// Output:
	// ""
	// "<li>1 &lt; 2</li>"
}
