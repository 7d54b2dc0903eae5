package ssestream_test

import (
	"context"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// The same posts as JSON, and as HTML for pages of htmx, Turbo and Datastar:
//
//	<div hx-ext="sse" sse-connect="/htmx/1" sse-swap="message"></div>
//	<turbo-stream-source src="/turbo/1"></turbo-stream-source> <div id="post"></div>
//	<div data-init="@get('/datastar/1')"><h1 id="post-1"></h1></div>
func ExampleAdapter_HTML() {
	store := &Posts{posts: map[string]Post{"1": {ID: "1", Title: "Tips & tricks"}}}
	page := template.Must(template.New("post").Parse(`<h1 id="post-{{.ID}}">{{.Title}}</h1>`))
	posts, err := ssestream.AdapterBuilder[PostUpdated, Post]{
		RequestKey: func(r *http.Request) (string, error) { return r.PathValue("id"), nil },
		EventKeys:  func(e PostUpdated) []string { return []string{e.ID} },
		Load:       store.Post,
		Render:     func(_ context.Context, w io.Writer, p Post) error { return page.Execute(w, p) },
	}.Build()
	if err != nil {
		panic(err)
	}
	router, err := ssestream.NewRouter(ssestream.RouterConfig{}, nil)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /posts/{id}", router.AddHandler("post-updated", posts))
	mux.Handle("GET /htmx/{id}", router.AddHandler("post-updated", posts.HTML(nil)))
	mux.Handle("GET /turbo/{id}", router.AddHandler("post-updated", posts.HTML(ssestream.TurboStream("update", "post"))))
	mux.Handle("GET /datastar/{id}", router.AddHandler("post-updated", posts.HTML(ssestream.DatastarElements)))
	server := httptest.NewServer(mux)
	defer server.Close()
	go router.Run(context.Background())
	defer router.Close()

	for _, path := range []string{"/posts/1", "/htmx/1", "/turbo/1", "/datastar/1"} {
		stream, err := ssestreamtest.Connect(context.Background(), server.Client(), server.URL+path)
		if err != nil {
			panic(err)
		}
		event, err := stream.Next(context.Background())
		fmt.Println(event.Type, event.Data, err)
		stream.Close()
	}
	response, err := server.Client().Get(server.URL + "/htmx/1") // which a page begins with
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	fmt.Println(response.Header.Get("Content-Type"), string(body), err)
	// Output:
	// data {"id":"1","title":"Tips & tricks"} <nil>
	// message <h1 id="post-1">Tips &amp; tricks</h1> <nil>
	// message <turbo-stream action="update" target="post"><template><h1 id="post-1">Tips &amp; tricks</h1></template></turbo-stream> <nil>
	// datastar-patch-elements elements <h1 id="post-1">Tips &amp; tricks</h1> <nil>
	// text/html; charset=utf-8 <h1 id="post-1">Tips &amp; tricks</h1> <nil>
}
