package ssestream_test

import (
	"errors"
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// TestAsideIsAsIfItWereHere whatever the function does: middleware that recovers has to see it.
func TestAsideIsAsIfItWereHere(t *testing.T) {
	t.Parallel()
	done := false
	ssestream.Aside(func() { done = true })
	assert.True(t, done)

	assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
		ssestream.Aside(func() { panic(http.ErrAbortHandler) })
	})
	func() {
		defer func() {
			err, ok := recover().(error)
			require.True(t, ok)
			require.ErrorContains(t, err, "boom")
			require.ErrorContains(t, err, "aside_test.go", "where it came from is not lost")
		}()
		ssestream.Aside(func() { panic("boom") })
	}()

	ended := make(chan bool, 1)
	go func() {
		after := false
		defer func() { ended <- after }()
		ssestream.Aside(runtime.Goexit)
		after = true
	}()
	assert.False(t, <-ended, "the goroutine goes on")
}

// TestAPanicBeforeAStream is the request's, not the process's.
func TestAPanicBeforeAStream(t *testing.T) {
	t.Parallel()
	builder := newBoard().builder()
	builder.RequestKey = func(*http.Request) (string, error) { panic(errors.New("boom")) }
	adapter, err := builder.Build()
	require.NoError(t, err)
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource(), MaxClients: 1})
	h := router.AddHandler(topic, adapter)
	site := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				w.WriteHeader(http.StatusTeapot)
			}
		}()
		h(w, r)
	}))
	run(t, router)
	for range 3 {
		assert.Equal(t, http.StatusTeapot, site.do(t, http.MethodGet, "key=a", "Accept", "text/event-stream").status)
	}
	assert.Zero(t, router.Stats().Clients)
}
