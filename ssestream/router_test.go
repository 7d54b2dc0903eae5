package ssestream_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()

	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- router.Run(ctx) }()
	<-router.Running()
	require.EqualError(t, router.Run(ctx), "router: Run was called before")
	cancel()
	require.NoError(t, <-done)
	require.ErrorIs(t, router.Run(t.Context()), ssestream.ErrClosed)
}

func TestRunFailsWhereATopicCannotBeSubscribedTo(t *testing.T) {
	t.Parallel()

	source := newSource()
	noBroker := errors.New("no broker")
	source.fail(noBroker)
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
	router.AddHandler(topic, newBoard().adapter(t))
	require.ErrorIs(t, router.Run(t.Context()), noBroker)
	select {
	case <-router.Running():
		t.Error("it is not running")
	default:
	}
}

func TestCloseBeforeRun(t *testing.T) {
	t.Parallel()

	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
	require.NoError(t, router.Close())
	require.ErrorIs(t, router.Run(t.Context()), ssestream.ErrClosed)
	router.AddHandler(topic, newBoard().adapter(t))
}

// TestHandlersAreAddedAtAnyTime and share one subscription for each topic.
func TestHandlersAreAddedAtAnyTime(t *testing.T) {
	t.Parallel()

	board, source := newBoard(), newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source, MinBackoff: time.Millisecond})
	mux := http.NewServeMux()
	site := serve(t, mux)
	add := func(path, topic string) {
		h := router.AddHandler(topic, board.adapter(t))
		mux.HandleFunc(path+"/", func(w http.ResponseWriter, r *http.Request) { h(w, r) })
	}
	add("/one", topic)
	add("/two", topic)
	run(t, router)
	assert.Equal(t, 1, source.count())
	add("/three", topic)
	assert.Equal(t, 1, source.count())
	source.fail(errors.New("try again"))
	add("/four", "another topic")
	source.fail(nil)

	for i, path := range []string{"/one", "/two", "/three", "/four"} {
		here := site
		here.url += path
		stream := here.connect(t, "key=a")
		assert.Equal(t, i, nextScore(t, stream).N)
		board.set("a", i+1)
		if path == "/four" {
			source.send(t, "another topic", []byte(`{"Keys":["a"]}`))
		} else {
			source.announce(t, "a")
		}
		assert.Equal(t, i+1, nextScore(t, stream).N)
	}
	assert.Equal(t, 2, source.count())
}

func TestCloseTimesOut(t *testing.T) {
	t.Parallel()

	release, loading := make(chan struct{}), make(chan struct{})
	board := newBoard()
	board.before(func(context.Context, string) error {
		close(loading)
		<-release

		return nil
	})
	router := newRouter(t, ssestream.RouterConfig{
		UpstreamSubscriber: newSource(), CloseTimeout: time.Millisecond,
	})
	h := router.AddHandler(topic, board.adapter(t))
	done := make(chan error)
	go func() { done <- router.Run(context.Background()) }()
	<-router.Running()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		h(httptest.NewRecorder(),
			httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?key=a", http.NoBody))
	}()
	<-loading
	require.ErrorContains(t, router.Close(), "did not end within 1ms")
	require.Error(t, <-done)
	close(release)
	<-answered
	require.Eventually(t, func() bool { return router.Close() == nil }, time.Minute, time.Millisecond)
}

func TestConfigIsValidated(t *testing.T) {
	t.Parallel()

	_, err := ssestream.NewRouter(ssestream.RouterConfig{
		Heartbeat: -2, Retry: -1, WriteTimeout: -1, Resync: -3, LoadTimeout: -1, ConcurrentLoads: -1,
		MinBackoff: 2, MaxBackoff: 1, QueueSize: -1, CloseTimeout: -1,
	}, nil)
	for _, field := range []string{
		"Heartbeat", "Retry", "WriteTimeout", "Resync", "LoadTimeout", "ConcurrentLoads",
		"MaxBackoff", "QueueSize", "CloseTimeout",
	} {
		require.ErrorContains(t, err, field)
	}
	require.NoError(t, ssestream.RouterConfig{
		UpstreamSubscriber: newSource(), Heartbeat: ssestream.Off, Resync: ssestream.Off,
	}.Validate())
	require.NoError(t, ssestream.RouterConfig{UpstreamSubscriber: newSource(), MinBackoff: time.Hour}.Validate())
}

func TestBuilderIsValidated(t *testing.T) {
	t.Parallel()

	_, err := ssestream.AdapterBuilder[changed, score]{}.Build()
	for _, field := range []string{"RequestKey", "EventKeys", "Load"} {
		require.ErrorContains(t, err, field)
	}
}

func TestDecodeOfTheUser(t *testing.T) {
	t.Parallel()
	board, source := newBoard(), newSource()
	builder := board.builder()
	builder.Decode = func(msg *message.Message) (changed, error) {
		return changed{Keys: []string{string(msg.Payload)}}, nil
	}
	adapter, err := builder.Build()
	require.NoError(t, err)
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
	site := serve(t, router.AddHandler(topic, adapter))
	run(t, router)
	stream := site.connect(t, "key=a")
	nextScore(t, stream)
	board.set("a", 1)
	source.send(t, topic, []byte("a"))
	assert.Equal(t, 1, nextScore(t, stream).N)
}
