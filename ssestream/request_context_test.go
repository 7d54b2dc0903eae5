package ssestream_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/ssestream"
)

// TestTheEndOfARequestsContext ends its stream, also one that middleware made, and also where the peer does not read.
func TestTheEndOfARequestsContext(t *testing.T) {
	t.Parallel()
	// around cancels the contexts of all its requests when a POST comes.
	around := func(h http.Handler) http.Handler {
		var mu sync.Mutex
		var cancels []context.CancelFunc

		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			mu.Lock()
			cancels = append(cancels, cancel)
			ending := cancels
			mu.Unlock()
			if r.Method == http.MethodPost {
				for _, cancel := range ending {
					cancel()
				}

				return
			}
			h.ServeHTTP(w, r.WithContext(ctx))
		})
	}
	t.Run("stalled", func(t *testing.T) {
		t.Parallel()
		inBubbles(t, settings{around: around}, func(b bubble) {
			b.connectAndStall()
			b.board.set("a", 1)
			b.source.announce(b, "a")
			synctest.Wait()
			assert.EqualValues(b, 1, b.router.Stats().Clients)
			b.do(b, http.MethodPost, "")
			synctest.Wait()
			assert.Equal(b, int64(0), b.router.Stats().Clients+b.router.Stats().Dropped)
		})
	})
	t.Run("served", func(t *testing.T) {
		t.Parallel()
		onEachServer(t, settings{around: around}, func(t *testing.T, w world) {
			t.Helper()
			stream := w.connect(t, "key=a")
			nextScore(t, stream)
			w.do(t, http.MethodPost, "")
			ended(t, stream)
		})
	})
	t.Run("other adapters", func(t *testing.T) {
		t.Parallel()
		router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
		site := serve(t, around(router.AddHandler(topic, funcAdapter{initial: always("hello"), next: payload})))
		run(t, router)
		stream := site.connect(t, "")
		next(t, stream)
		site.do(t, http.MethodPost, "")
		ended(t, stream)
	})
}
