package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/ThreeDotsLabs/watermill"
	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
)

// streamRouter is what runs the streams.
type streamRouter interface {
	Run(ctx context.Context) error
	Running() chan struct{}
	Close() error
}

// newStreams returns the router of the streams and the app's HTTP API.
func newStreams(
	subscriber message.Subscriber, api api, feeds *feedStore, logger watermill.LoggerAdapter,
) (streamRouter, http.Handler, error) {
	router, err := watermillhttp.NewSSERouter(watermillhttp.SSERouterConfig{
		UpstreamSubscriber: subscriber,
		ErrorHandler:       handleError,
	}, logger)
	if err != nil {
		return nil, nil, fmt.Errorf("create the stream router: %w", err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/posts", api.create)
	mux.HandleFunc("PATCH /api/posts/{id}", api.update)
	mux.HandleFunc("GET /api/posts/{id}", router.AddHandler(topicPostUpdated, postStream{api.posts}))
	mux.HandleFunc("GET /api/feeds/{tag}", router.AddHandler(topicFeedUpdated, feedStream{feeds}))
	mux.HandleFunc("GET /api/feeds", router.AddHandler(topicFeedUpdated, allFeedsStream{feeds}))
	return router, mux, nil
}

func handleError(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, err.Error(), http.StatusBadGateway)
}

// postStream follows one post.
type postStream struct{ posts *postStore }

func (s postStream) InitialStreamResponse(w http.ResponseWriter, r *http.Request) (any, bool) {
	post, ok := s.posts.find(r.PathValue("id"))
	if !ok {
		answer(w, http.StatusNotFound, problem{Error: "there is no such post", ID: r.PathValue("id")})
		return nil, false
	}
	return post, true
}

func (s postStream) NextStreamResponse(r *http.Request, msg *message.Message) (any, bool) {
	var event postEvent
	if err := json.Unmarshal(msg.Payload, &event); err != nil || event.Post.ID != r.PathValue("id") {
		return nil, false
	}
	return s.posts.find(event.Post.ID)
}

// feedStream follows the posts of one tag, of which there may be none yet.
type feedStream struct{ feeds *feedStore }

func (s feedStream) InitialStreamResponse(_ http.ResponseWriter, r *http.Request) (any, bool) {
	return s.feeds.find(r.PathValue("tag")), true
}

func (s feedStream) NextStreamResponse(r *http.Request, msg *message.Message) (any, bool) {
	if string(msg.Payload) != r.PathValue("tag") {
		return nil, false
	}
	return s.feeds.find(r.PathValue("tag")), true
}

// allFeedsStream follows the names of all feeds.
type allFeedsStream struct{ feeds *feedStore }

func (s allFeedsStream) InitialStreamResponse(http.ResponseWriter, *http.Request) (any, bool) {
	return s.feeds.names(), true
}

func (s allFeedsStream) NextStreamResponse(*http.Request, *message.Message) (any, bool) {
	return s.feeds.names(), true
}
