package ssestream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// An answer that a model writes is sent once, piece by piece. Who joins in the middle is sent what there is.
func ExampleAdapterBuilder_append() {
	var mu sync.Mutex
	var answer strings.Builder
	answers, err := ssestream.AdapterBuilder[struct{}, string]{
		RequestKey: func(*http.Request) (string, error) { return "answer", nil },
		EventKeys:  func(struct{}) []string { return []string{"answer"} },
		Load: func(context.Context, string) (string, error) {
			mu.Lock()
			defer mu.Unlock()

			return answer.String(), nil
		},
		Append: true,
	}.Build()
	if err != nil {
		panic(err)
	}
	router, err := ssestream.NewRouter(ssestream.RouterConfig{}, nil)
	if err != nil {
		panic(err)
	}
	defer router.Close()
	server := httptest.NewServer(router.AddHandler("answer-grew", answers))
	defer server.Close()
	write := func(piece string) {
		mu.Lock()
		answer.WriteString(piece)
		mu.Unlock()
		_ = router.Publish("answer-grew", message.NewMessage("", []byte("{}")))
	}

	write("It is ")
	stream, err := ssestreamtest.Connect(context.Background(), nil, server.URL)
	if err != nil {
		panic(err)
	}
	defer stream.Close()
	var text string // what a page shows
	for _, piece := range []string{"forty", "-two", "."} {
		event, err := stream.Next(context.Background())
		if err != nil {
			panic(err)
		}
		var part string
		if err := json.Unmarshal([]byte(event.Data), &part); err != nil {
			panic(err)
		}
		if event.Type == "append" {
			text += part
		} else {
			text = part
		}
		fmt.Printf("%-6s %-10s %q\n", event.Type, event.Data, text)
		write(piece)
	}
	// Output:
	// data   "It is "   "It is "
	// append "forty"    "It is forty"
	// append "-two"     "It is forty-two"
}
