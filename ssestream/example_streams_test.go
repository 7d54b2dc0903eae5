package ssestream_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// A page follows two posts, and asks for one that is not there, on one connection.
func ExampleRouter_AddStreamsHandler() {
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
	router, err := ssestream.NewRouter(ssestream.RouterConfig{UpstreamSubscriber: pubSub}, nil)
	if err != nil {
		panic(err)
	}
	streams, err := router.AddStreamsHandler(ssestream.Stream{
		Pattern: "post:{id}", Topics: []string{"post-updated"}, Adapter: adapter,
	})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(streams)
	defer server.Close()
	go router.Run(context.Background())
	defer router.Close()

	// A browser would say: new EventSource("/streams?stream=post:1&stream=news").
	stream, err := ssestreamtest.Connect(context.Background(), server.Client(), server.URL+"/?stream=post:1&stream=news")
	if err != nil {
		panic(err)
	}
	defer stream.Close()
	for range 2 {
		event, err := stream.Next(context.Background())
		fmt.Println(event.Type, event.Data, err)
	}
	// Output:
	// problem {"stream":"news","type":"about:blank","title":"Not Found","status":404,"detail":"there is no such stream"} <nil>
	// post:1 {"id":"1","title":"Hello"} <nil>
}

// behindOneProxy returns the address that the proxy in front of the server was connected from. The proxy appends it
// to the field. What comes before may be the client's invention.
func behindOneProxy(r *http.Request) string {
	field := strings.Join(r.Header.Values("X-Forwarded-For"), ",")

	return strings.TrimSpace(field[strings.LastIndexByte(field, ',')+1:])
}

// Here an address may have one stream. Another one is ended at once, with the time after which its EventSource
// reconnects.
func ExampleRouterConfig() {
	posts := &Posts{posts: map[string]Post{"1": {ID: "1", Title: "Hello"}}}
	pubSub := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	defer pubSub.Close()
	router, err := ssestream.NewRouter(ssestream.RouterConfig{
		UpstreamSubscriber:   pubSub,
		MaxClientsPerAddress: 1,
		ClientAddress:        behindOneProxy,
	}, nil)
	if err != nil {
		panic(err)
	}
	adapter, err := ssestream.AdapterBuilder[PostUpdated, Post]{
		RequestKey: func(r *http.Request) (string, error) { return r.URL.Query().Get("id"), nil },
		EventKeys:  func(e PostUpdated) []string { return []string{e.ID} },
		Load:       posts.Post,
	}.Build()
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(router.AddHandler("post-updated", adapter))
	defer server.Close()
	go router.Run(context.Background())
	defer router.Close()

	for _, client := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.2"} {
		stream, err := ssestreamtest.Connect(context.Background(), server.Client(), server.URL+"/?id=1",
			ssestreamtest.WithHeader("X-Forwarded-For", client)) // which the proxy sets
		if err != nil {
			panic(err)
		}
		defer stream.Close()
		event, err := stream.Next(context.Background())
		fmt.Println(client, event.Data, err)
	}
	stats := router.Stats()
	fmt.Println(stats.Clients, "clients,", stats.Refused, "refused")
	// Output:
	// 192.0.2.1 {"id":"1","title":"Hello"} <nil>
	// 192.0.2.1  EOF
	// 192.0.2.2 {"id":"1","title":"Hello"} <nil>
	// 2 clients, 1 refused
}
