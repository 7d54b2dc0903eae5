package cqrsfeed_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/examplenotes"
)

// A client writes a note and reads its feed at once. The read waits for the projection. The same middleware goes
// around the handlers of an ssestream.Router.
func ExampleNewReadYourWrites() {
	ctx := context.Background()
	notes, _, feeds, done := examplenotes.Open(ctx)
	defer done()
	readYourWrites, err := cqrsfeed.NewReadYourWrites(cqrsfeed.ReadYourWritesConfig{
		Store: func(string) cqrsfeed.ItemVersions { return feeds }, // of every kind: there is only one
	})
	must(err)

	mux := http.NewServeMux()
	mux.HandleFunc("POST /notes/{id}", func(w http.ResponseWriter, r *http.Request) {
		note, err := notes.Create(r.Context(), r.PathValue("id"), Note{Text: "hello", Tags: []string{"go"}})
		must(err)
		w.Header().Set(cqrsfeed.TokenHeader, note.Token("note").String())
		go func() { // as the projection does, later
			<-time.After(50 * time.Millisecond)
			_, err := feeds.Apply(ctx, []cqrsfeed.FeedChange[Note]{{Item: note, Feeds: note.Body.Tags}})
			must(err)
		}()
	})
	mux.Handle("GET /feeds/{name}", readYourWrites(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, err := feeds.Page(r.Context(), r.PathValue("name"), "", 10)
		must(err)
		fmt.Fprintln(w, page.Feed.Name, len(page.Items))
	})))

	written := httptest.NewRecorder()
	mux.ServeHTTP(written, httptest.NewRequest(http.MethodPost, "/notes/n1", http.NoBody))
	read := httptest.NewRequest(http.MethodGet, "/feeds/go", http.NoBody)
	read.Header.Set(cqrsfeed.TokenHeader, written.Header().Get(cqrsfeed.TokenHeader))
	response := httptest.NewRecorder()
	mux.ServeHTTP(response, read)
	fmt.Print(response.Body)
	// Output:
	// go 1
}

// Await waits for a write without HTTP, here for a second at most.
func ExampleAwait() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _, feeds, done := examplenotes.Open(ctx)
	defer done()
	note := cqrsfeed.Item[Note]{ID: "n1", Version: 1, Body: Note{Text: "hello"}}
	_, err := feeds.Apply(ctx, []cqrsfeed.FeedChange[Note]{{Item: note, Feeds: []string{"go"}}})
	must(err)

	token, err := cqrsfeed.ParseToken(note.Token("note").String())
	must(err)
	pending, err := cqrsfeed.Await(ctx, feeds, token)
	fmt.Println(len(pending), err)
	// Output:
	// 0 <nil>
}
