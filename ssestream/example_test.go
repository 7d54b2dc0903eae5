package ssestream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

type Post struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

type PostUpdated struct {
	ID string `json:"id"`
}

// Posts stands for a database.
type Posts struct {
	mu    sync.Mutex
	posts map[string]Post
}

func (p *Posts) Put(post Post) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.posts[post.ID] = post
}

func (p *Posts) Post(_ context.Context, id string) (Post, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	post, ok := p.posts[id]
	if !ok {
		return Post{}, &ssestream.StatusError{Status: http.StatusNotFound, Err: errors.New("no such post")}
	}

	return post, nil
}

func ExampleAdapterBuilder() {
	posts := &Posts{posts: map[string]Post{"1": {ID: "1", Title: "Hello"}}}

	adapter, err := ssestream.AdapterBuilder[PostUpdated, Post]{
		RequestKey: func(r *http.Request) (string, error) { return r.PathValue("id"), nil },
		EventKeys:  func(e PostUpdated) []string { return []string{e.ID} },
		Load:       posts.Post,
	}.Build()
	if err != nil {
		panic(err)
	}
	router, err := ssestream.NewRouter(ssestream.RouterConfig{
		UpstreamSubscriber: gochannel.NewGoChannel(gochannel.Config{}, nil),
	}, nil)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /posts/{id}", router.AddHandler("post-updated", adapter))

	for _, path := range []string{"/posts/1", "/posts/2"} {
		recorder := httptest.NewRecorder()
		mux.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		fmt.Println(recorder.Code, recorder.Body)
	}
	// Output:
	// 200 {"id":"1","title":"Hello"}
	// 404 {"type":"about:blank","title":"Not Found","status":404,"detail":"no such post"}
}

func ExampleRouter() {
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
	mux := http.NewServeMux()
	mux.Handle("GET /posts/{id}", router.AddHandler("post-updated", adapter))
	server := httptest.NewServer(mux)
	defer server.Close()
	go router.Run(context.Background())
	defer router.Close()

	// A browser would say: new EventSource("/posts/1").
	stream, err := ssestreamtest.Connect(context.Background(), server.Client(), server.URL+"/posts/1")
	if err != nil {
		panic(err)
	}
	defer stream.Close()
	event, err := stream.Next(context.Background())
	fmt.Println(event.Type, event.Data, err)

	// Change the post, then announce it.
	posts.Put(Post{ID: "1", Title: "Hello, world"})
	payload, _ := json.Marshal(PostUpdated{ID: "1"})
	if err := pubSub.Publish("post-updated", message.NewMessage(watermill.NewUUID(), payload)); err != nil {
		panic(err)
	}
	event, err = stream.Next(context.Background())
	fmt.Println(event.Type, event.Data, err)
	// Output:
	// data {"id":"1","title":"Hello"} <nil>
	// data {"id":"1","title":"Hello, world"} <nil>
}

func ExampleStatusOf() {
	err := fmt.Errorf("load post 7: %w", &ssestream.StatusError{
		Status: http.StatusNotFound, Err: errors.New("no such post"),
	})
	fmt.Println(ssestream.StatusOf(err), err)
	fmt.Println(ssestream.StatusOf(errors.New("connection refused")))
	// Output:
	// 404 load post 7: no such post
	// 500
}

// An application's own handler stands in front of the router's and keeps what it does not stream to itself.
func ExampleWantsStream() {
	request := httptest.NewRequest(http.MethodGet, "/posts/1?version=3", http.NoBody)
	for _, accept := range []string{"text/event-stream", "application/json", "*/*"} {
		request.Header.Set("Accept", accept)
		if ssestream.WantsStream(request) && request.URL.Query().Has("version") {
			fmt.Println(accept, "400 an old version does not change")
		} else {
			fmt.Println(accept, "200")
		}
	}
	// Output:
	// text/event-stream 400 an old version does not change
	// application/json 200
	// */* 200
}

func ExampleRouter_AddTopicsHandler() {
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
	mux := http.NewServeMux()
	mux.Handle("GET /posts/{id}", router.AddTopicsHandler([]string{"post-updated", "post-moved"}, adapter))
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

	for _, topic := range []string{"post-updated", "post-moved"} {
		posts.Put(Post{ID: "1", Title: "Hello from " + topic})
		if err := pubSub.Publish(topic, message.NewMessage(watermill.NewUUID(), []byte(`{"id":"1"}`))); err != nil {
			panic(err)
		}
		event, err = stream.Next(context.Background())
		fmt.Println(event.Data, err)
	}
	// Output:
	// {"id":"1","title":"Hello"} <nil>
	// {"id":"1","title":"Hello from post-updated"} <nil>
	// {"id":"1","title":"Hello from post-moved"} <nil>
}
