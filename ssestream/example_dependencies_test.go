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

// A reading list follows several posts. The key is the reader's name, and the load tells which posts are on the list.
func ExampleDependOn() {
	posts := &Posts{posts: map[string]Post{"1": {ID: "1", Title: "Hello"}, "2": {ID: "2", Title: "Streams"}}}
	lists := map[string][]string{"ann": {"1", "2"}}
	adapter, err := ssestream.AdapterBuilder[PostUpdated, []string]{
		RequestKey: func(r *http.Request) (string, error) { return r.PathValue("reader"), nil },
		EventKeys:  func(e PostUpdated) []string { return []string{e.ID} },
		Load: func(ctx context.Context, reader string) (titles []string, err error) {
			ssestream.DependOn(ctx, lists[reader]...)
			for _, id := range lists[reader] {
				post, err := posts.Post(ctx, id)
				if err != nil {
					return nil, err
				}
				titles = append(titles, post.Title)
			}

			return titles, nil
		},
	}.Build()
	if err != nil {
		panic(err)
	}
	router, err := ssestream.NewRouter(ssestream.RouterConfig{}, nil)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /lists/{reader}", router.AddHandler("post-updated", adapter))
	server := httptest.NewServer(mux)
	defer server.Close()
	go router.Run(context.Background())
	defer router.Close()

	stream, err := ssestreamtest.Connect(context.Background(), server.Client(), server.URL+"/lists/ann")
	if err != nil {
		panic(err)
	}
	defer stream.Close()
	event, err := stream.Next(context.Background())
	fmt.Println(event.Data, err)

	posts.Put(Post{ID: "2", Title: "Server-Sent Events"})
	_ = router.Publish("post-updated", message.NewMessage(watermill.NewUUID(), []byte(`{"id":"2"}`)))
	event, err = stream.Next(context.Background())
	fmt.Println(event.Data, err)
	// Output:
	// ["Hello","Streams"] <nil>
	// ["Hello","Server-Sent Events"] <nil>
}
