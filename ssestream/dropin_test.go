package ssestream_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// sseRouter has the methods of the stock router.
type sseRouter interface {
	AddHandler(topic string, adapter watermillhttp.StreamAdapter) http.HandlerFunc
	Run(ctx context.Context) error
	Running() chan struct{}
	Close() error
}

var (
	_ sseRouter = watermillhttp.SSERouter{}
	_ sseRouter = (*ssestream.Router)(nil)
)

// storyAdapter is an adapter for the stock router.
type storyAdapter struct{ board *board }

func (a storyAdapter) InitialStreamResponse(w http.ResponseWriter, r *http.Request) (any, bool) {
	key := r.URL.Query().Get("key")
	if key == "unknown" {
		w.Header().Set("X-Reason", "unknown")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":"unknown key"}`)

		return nil, false
	}
	s, err := a.board.load(r.Context(), key)

	return s, err == nil
}

func (a storyAdapter) NextStreamResponse(r *http.Request, msg *message.Message) (any, bool) {
	var e changed
	if err := json.Unmarshal(msg.Payload, &e); err != nil || e.Keys[0] != r.URL.Query().Get("key") {
		return nil, false
	}
	s, err := a.board.load(r.Context(), e.Keys[0])

	return s, err == nil
}

// TestDropIn runs the same application on the stock router and on ours, with an adapter written for the stock
// one and with ours, and expects the same of all.
func TestDropIn(t *testing.T) {
	t.Parallel()

	routers := map[string]func(subscriber message.Subscriber) (sseRouter, error){
		"stock": func(subscriber message.Subscriber) (sseRouter, error) {
			return watermillhttp.NewSSERouter(watermillhttp.SSERouterConfig{
				UpstreamSubscriber: subscriber, ErrorHandler: watermillhttp.DefaultErrorHandler,
				Marshaler: watermillhttp.JSONSSEMarshaler{},
			}, watermill.NopLogger{})
		},
		"ours": func(subscriber message.Subscriber) (sseRouter, error) {
			return ssestream.NewRouter(ssestream.RouterConfig{
				UpstreamSubscriber: subscriber, ErrorHandler: watermillhttp.DefaultErrorHandler,
				Marshaler: watermillhttp.JSONSSEMarshaler{},
			}, watermill.NopLogger{})
		},
	}
	for name, newRouter := range routers {
		for _, kind := range []string{"their adapter", "our adapter"} {
			t.Run(name+" router, "+kind, func(t *testing.T) {
				t.Parallel()
				pubSub := gochannel.NewGoChannel(
					gochannel.Config{BlockPublishUntilSubscriberAck: true}, watermill.NopLogger{})
				t.Cleanup(func() { require.NoError(t, pubSub.Close()) })
				router, err := newRouter(pubSub)
				require.NoError(t, err)
				board := newBoard()
				runDropIn(t, router, pubSub, board, dropInAdapter(t, kind, board))
			})
		}
	}
}

func dropInAdapter(t *testing.T, kind string, board *board) watermillhttp.StreamAdapter {
	t.Helper()
	if kind == "their adapter" {
		return storyAdapter{board: board}
	}
	builder := board.builder()
	builder.Authorize = func(_ *http.Request, key string) error {
		if key == "unknown" {
			return &ssestream.StatusError{Status: http.StatusNotFound, Err: errors.New("unknown key")}
		}

		return nil
	}
	adapter, err := builder.Build()
	require.NoError(t, err)

	return adapter
}

func runDropIn(
	t *testing.T, router sseRouter, publisher message.Publisher, board *board, adapter watermillhttp.StreamAdapter,
) {
	t.Helper()
	one, two := router.AddHandler(topic, adapter), router.AddHandler(topic, adapter)
	mux := http.NewServeMux()
	mux.Handle("/one/", one)
	mux.Handle("/two/", two)
	site := serve(t, mux)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- router.Run(ctx) }()
	<-router.Running()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, router.Close())
	})
	publish := func(n int, key string) {
		board.set(key, n)
		payload, err := json.Marshal(changed{Keys: []string{key}})
		require.NoError(t, err)
		require.NoError(t, publisher.Publish(topic, message.NewMessage(watermill.NewUUID(), payload)))
	}
	oneSite, twoSite := site, site
	oneSite.url += "/one"
	twoSite.url += "/two"

	for _, accept := range []string{"", "*/*", "application/json", "text/html, text/event-stream"} {
		response := oneSite.do(t, http.MethodGet, "key=a", "Accept", accept)
		assert.Equal(t, http.StatusOK, response.status)
		assert.Contains(t, response.header.Get("Content-Type"), "application/json")
		assert.JSONEq(t, `{"Key":"a","N":0}`, response.body, accept)
	}
	for _, accept := range []string{"", "text/event-stream"} {
		response := oneSite.do(t, http.MethodGet, "key=unknown", "Accept", accept)
		assert.Contains(t, []int{http.StatusNotFound, http.StatusInternalServerError}, response.status)
		assert.Contains(t, response.body, "unknown key")
	}

	a, b := oneSite.connect(t, "key=a"), twoSite.connect(t, "key=b")
	assert.Equal(t, score{Key: "a"}, nextScore(t, a))
	assert.Equal(t, score{Key: "b"}, nextScore(t, b))
	for n := 1; n <= 5; n++ {
		publish(n, "a")
		assert.Equal(t, n, nextScore(t, a).N)
	}
	publish(1, "nobody")
	publish(7, "b")
	assert.Equal(t, score{Key: "b", N: 7}, nextScore(t, b))
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
}
