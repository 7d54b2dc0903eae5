package cqrsfeed_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Who wrote a note, and reads its feed at once, finds it there although the projection comes later. The same
// middleware goes around the handlers of an ssestream.Router.
func ExampleNewReadYourWrites() {
	ctx := context.Background()
	notes, _, feeds, done := openNotes(ctx)
	defer done()
	readYourWrites, err := cqrsfeed.NewReadYourWrites(cqrsfeed.ReadYourWritesConfig{Store: feeds})
	must(err)

	mux := http.NewServeMux()
	mux.HandleFunc("POST /notes/{id}", func(w http.ResponseWriter, r *http.Request) {
		note, err := notes.Create(r.Context(), r.PathValue("id"), Note{Text: "hello", Tags: []string{"go"}})
		must(err)
		cqrsfeed.SetToken(w.Header(), note.Token())
		go func() { // as the relay, the broker and the projector do
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
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, read)
	fmt.Print(answer.Body)
	// Output:
	// go 1
}

// Without HTTP: wait for a write, but no longer than a second.
func ExampleAwait() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _, feeds, done := openNotes(ctx)
	defer done()
	note := cqrsfeed.Item[Note]{ID: "n1", Version: 1, Body: Note{Text: "hello"}}
	_, err := feeds.Apply(ctx, []cqrsfeed.FeedChange[Note]{{Item: note, Feeds: []string{"go"}}})
	must(err)

	token, err := cqrsfeed.ParseToken(note.Token().String()) // it went to a client and came back
	must(err)
	pending, err := cqrsfeed.Await(ctx, feeds, token)
	fmt.Println(len(pending), err)
	// Output:
	// 0 <nil>
}
