package ssestream_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// A server that shuts down closes its router first: http.Server.Shutdown does not end streams.
func ExampleRouter_Close() {
	posts := &Posts{posts: map[string]Post{"1": {ID: "1", Title: "Hello"}}}
	pubSub := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	defer pubSub.Close()
	adapter, err := ssestream.AdapterBuilder[PostUpdated, Post]{
		RequestKey: func(r *http.Request) (string, error) { return r.PathValue("id"), nil },
		EventKeys:  func(e PostUpdated) []string { return []string{e.ID} },
		Load:       posts.Post,
	}.Build()
	if err != nil {
		panic(err)
	}
	router, err := ssestream.NewRouter(ssestream.RouterConfig{
		UpstreamSubscriber: pubSub,
		MaxClients:         10_000,
		DrainWindow:        20 * time.Second,
	}, nil)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /posts/{id}", router.AddHandler("post-updated", adapter))
	server := httptest.NewServer(mux)
	defer server.Close()
	go router.Run(context.Background())

	stream, err := ssestreamtest.Connect(context.Background(), server.Client(), server.URL+"/posts/1")
	if err != nil {
		panic(err)
	}
	defer stream.Close()
	event, err := stream.Next(context.Background())
	fmt.Println(event.Data, err)

	// When the process is told to end:
	err = errors.Join(router.Close(), server.Config.Shutdown(context.Background()))
	fmt.Println("closed:", err)

	_, err = stream.Next(context.Background())
	fmt.Println("the stream ends:", err)
	fmt.Println("and its client comes back within 1.5s to 21.5s:",
		stream.Retry() >= 1500*time.Millisecond && stream.Retry() <= 21500*time.Millisecond)
	// Output:
	// {"id":"1","title":"Hello"} <nil>
	// closed: <nil>
	// the stream ends: EOF
	// and its client comes back within 1.5s to 21.5s: true
}
