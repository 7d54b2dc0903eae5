package ssestream_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// Where the changes are made in the same process, nothing lies between them and the router.
func ExampleRouter_Publish() {
	posts := &Posts{posts: map[string]Post{"1": {ID: "1", Title: "Hello"}}}
	adapter, err := ssestream.AdapterBuilder[PostUpdated, Post]{
		RequestKey: func(r *http.Request) (string, error) { return r.PathValue("id"), nil },
		EventKeys:  func(e PostUpdated) []string { return []string{e.ID} },
		Load:       posts.Post,
	}.Build()
	if err != nil {
		panic(err)
	}
	router, err := ssestream.NewRouter(ssestream.RouterConfig{}, nil)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /posts/{id}", router.AddHandler("post-updated", adapter))
	server := httptest.NewServer(mux)
	defer server.Close()
	go router.Run(context.Background())
	defer router.Close()

	stream, err := ssestreamtest.Connect(context.Background(), server.Client(), server.URL+"/posts/1")
	if err != nil {
		panic(err)
	}
	defer stream.Close()
	event, err := stream.Next(context.Background())
	fmt.Println(event.Data, err)

	posts.Put(Post{ID: "1", Title: "Hello, world"})
	fmt.Println(router.Publish("post-updated", message.NewMessage(watermill.NewUUID(), []byte(`{"id":"1"}`))))
	event, err = stream.Next(context.Background())
	fmt.Println(event.Data, err)
	// Output:
	// {"id":"1","title":"Hello"} <nil>
	// <nil>
	// {"id":"1","title":"Hello, world"} <nil>
}
