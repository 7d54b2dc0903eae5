package ssestream_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// What net/http and middleware do for a request also has to work for a connection that was taken over.

func TestHeartbeatsOnEachServer(t *testing.T) {
	t.Parallel()
	config := ssestream.RouterConfig{Heartbeat: 20 * time.Millisecond}
	onEachServer(t, settings{config: config}, func(t *testing.T, w world) {
		t.Helper()
		stream := w.connect(t, "key=a")
		nextScore(t, stream)
		for n := 1; n <= 3; n++ {
			seen := stream.Comments()
			eventually(t, func() bool { return stream.Comments() >= seen+3 }, "heartbeats come")
			w.board.set("a", n)
			w.source.announce(t, "a")
			assert.Equal(t, n, nextScore(t, stream).N, "and states between them")
		}
	})
}

// TestHeartbeatsBeforeTheFirstState come as well.
func TestHeartbeatsBeforeTheFirstState(t *testing.T) {
	t.Parallel()
	config := ssestream.RouterConfig{Heartbeat: 20 * time.Millisecond}
	onEachServer(t, settings{config: config}, func(t *testing.T, w world) {
		t.Helper()
		w.board.before(failing(errStore))
		stream := w.connect(t, "key=a")
		eventually(t, func() bool { return stream.Comments() >= 3 }, "heartbeats come")
		w.board.before(nil)
		nextScore(t, stream)
	})
}

func TestExpiryOnEachServer(t *testing.T) {
	t.Parallel()
	onEachServer(t, settings{builder: func(b *ssestream.AdapterBuilder[changed, score]) {
		b.Expires = func(r *http.Request) time.Time {
			if r.URL.Query().Has("soon") {
				return time.Now().Add(200 * time.Millisecond)
			}

			return time.Now().Add(time.Hour)
		}
	}}, func(t *testing.T, w world) {
		t.Helper()
		lasting := w.connect(t, "key=a")
		nextScore(t, lasting)
		begin := time.Now()
		stream := w.connect(t, "key=a&soon")
		nextScore(t, stream)
		ended(t, stream)
		assert.GreaterOrEqual(t, time.Since(begin), 200*time.Millisecond)
		eventually(t, func() bool { return w.router.Stats().Clients == 1 }, "the expired has left")
		w.board.set("a", 1)
		w.source.announce(t, "a")
		assert.Equal(t, 1, nextScore(t, lasting).N)
	})
}

// TestMiddlewareEndsAStream by the context that it gave the request, and sees the request end.
func TestMiddlewareEndsAStream(t *testing.T) {
	t.Parallel()
	var watched middleware
	onEachServer(t, settings{around: watched.around}, func(t *testing.T, w world) {
		t.Helper()
		other := w.connect(t, "key=a")
		nextScore(t, other)
		mine := watched.watch(t.Name())
		stream := w.connect(t, "key=a", ssestreamtest.WithHeader("Watched", t.Name()))
		nextScore(t, stream)
		mine.cancel()
		ended(t, stream)
		<-mine.ended
		eventually(t, func() bool { return w.router.Stats().Clients == 1 }, "only that one has ended")
		w.board.set("a", 1)
		w.source.announce(t, "a")
		assert.Equal(t, 1, nextScore(t, other).N)
	})
}

// TestAServerEndsItsStreams by the context that it gives its requests.
func TestAServerEndsItsStreams(t *testing.T) {
	t.Parallel()
	base, cancel := context.WithCancel(context.Background())
	board, source := newBoard(), newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
	site, taken := counted(t, router.AddHandler(topic, board.adapter(t)), func(s *httptest.Server) {
		s.Config.BaseContext = func(net.Listener) context.Context { return base }
	})
	run(t, router)
	stream := site.connect(t, "key=a")
	nextScore(t, stream)
	assert.EqualValues(t, 1, taken.Load())
	cancel()
	ended(t, stream)
}

// TestTheContextOfARequest lasts as long as its stream, also where net/http does not wait for that.
func TestTheContextOfARequest(t *testing.T) {
	t.Parallel()
	contexts := make(chan context.Context, 1)
	onEachServer(t, settings{builder: func(b *ssestream.AdapterBuilder[changed, score]) {
		key := b.RequestKey
		b.RequestKey = func(r *http.Request) (string, error) {
			contexts <- r.Context()

			return key(r)
		}
	}}, func(t *testing.T, w world) {
		t.Helper()
		stream := w.connect(t, "key=a")
		ctx := <-contexts
		for n := range 3 {
			w.board.set("a", n)
			w.source.announce(t, "a")
			for nextScore(t, stream).N != n {
			}
			require.NoError(t, ctx.Err())
		}
		assert.NotNil(t, ctx.Value(http.ServerContextKey))
		require.NoError(t, stream.Close())
		<-ctx.Done()
	})
}

// TestMiddlewareSeesTheEndOfARequest when its peer goes, and not before.
func TestMiddlewareSeesTheEndOfARequest(t *testing.T) {
	t.Parallel()
	var watched middleware
	onEachServer(t, settings{around: watched.around}, func(t *testing.T, w world) {
		t.Helper()
		mine := watched.watch(t.Name())
		stream := w.connect(t, "key=a", ssestreamtest.WithHeader("Watched", t.Name()))
		nextScore(t, stream)
		w.board.set("a", 1)
		w.source.announce(t, "a")
		nextScore(t, stream)
		select {
		case <-mine.ended:
			t.Error("the stream is still open")
		default:
		}
		require.NoError(t, stream.Close())
		<-mine.ended
	})
}

// TestALogSeesTheEndOfARequest that it passes on as it is.
func TestALogSeesTheEndOfARequest(t *testing.T) {
	t.Parallel()
	var log sync.Map
	around := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r)
			log.Store(r.Header.Get("Watched"), true)
		})
	}
	onEachServer(t, settings{around: around}, func(t *testing.T, w world) {
		t.Helper()
		logged := func() bool {
			_, ok := log.Load(t.Name())

			return ok
		}
		stream := w.connect(t, "key=a", ssestreamtest.WithHeader("Watched", t.Name()))
		nextScore(t, stream)
		w.board.set("a", 1)
		w.source.announce(t, "a")
		nextScore(t, stream)
		assert.False(t, logged(), "the stream is still open")
		require.NoError(t, stream.Close())
		eventually(t, logged, "it has ended")
	})
}

// middleware lets a test watch and end requests, by their name.
type middleware struct{ requests sync.Map }

type watchedRequest struct {
	ctx    context.Context //nolint:containedctx // the request's, from outside
	cancel context.CancelFunc
	ended  chan struct{}
}

func (m *middleware) watch(name string) watchedRequest {
	watched := watchedRequest{ended: make(chan struct{})}
	watched.ctx, watched.cancel = context.WithCancel(context.Background())
	m.requests.Store(name, watched)

	return watched
}

func (m *middleware) around(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value, _ := m.requests.Load(r.Header.Get("Watched"))
		watched, ok := value.(watchedRequest)
		if !ok {
			h.ServeHTTP(w, r)

			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer context.AfterFunc(watched.ctx, cancel)()
		h.ServeHTTP(w, r.WithContext(ctx))
		close(watched.ended)
	})
}

// TestAuthorizeOnEachServer is asked for each key, at connect.
func TestAuthorizeOnEachServer(t *testing.T) {
	t.Parallel()
	onEachServer(t, settings{builder: func(b *ssestream.AdapterBuilder[changed, score]) {
		b.Authorize = func(r *http.Request, key string) error {
			if r.Header.Get("User") != key {
				return errors.New("not yours: " + key)
			}

			return nil
		}
	}}, func(t *testing.T, w world) {
		t.Helper()
		own := ssestreamtest.WithHeader("User", "a")
		stream := w.connect(t, "key=a", own)
		nextScore(t, stream)
		_, err := ssestreamtest.Connect(t.Context(), w.client, w.url+"/?key=b", own)
		var refused *ssestreamtest.ResponseError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, http.StatusForbidden, refused.StatusCode, "the truth, not a limit")
		assert.Contains(t, refused.Body, "not yours: b")
		assert.Zero(t, w.board.loaded("b"))
		assert.Equal(t, http.StatusForbidden, w.do(t, http.MethodGet, "key=b", "User", "a").status)
	})
}
