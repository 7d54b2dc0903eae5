package ssestream_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// A long page of public posts is compressed for all who follow it. Each change costs some hundred bytes.
func ExampleAdapterBuilder_compress() {
	page, err := ssestream.AdapterBuilder[PostUpdated, Post]{
		RequestKey: func(*http.Request) (string, error) { return "page", nil },
		EventKeys:  func(PostUpdated) []string { return []string{"page"} },
		Load: func(context.Context, string) (Post, error) {
			return Post{ID: "1", Title: strings.Repeat("Hello ", 3)}, nil
		},
		Compress: true,
	}.Build()
	if err != nil {
		panic(err)
	}
	router, err := ssestream.NewRouter(ssestream.RouterConfig{}, nil)
	if err != nil {
		panic(err)
	}
	defer router.Close()
	server := httptest.NewServer(router.AddHandler("post-updated", page))
	defer server.Close()

	// What a browser does by itself.
	request, _ := http.NewRequest(http.MethodGet, server.URL, http.NoBody)
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	decoded, err := gzip.NewReader(response.Body)
	if err != nil {
		panic(err)
	}
	event, err := ssestreamtest.NewReader(decoded).Next()
	if err != nil {
		panic(err)
	}
	fmt.Println(response.Header.Get("Content-Encoding"), event.Data)
	// Output: gzip {"id":"1","title":"Hello Hello Hello "}
}
