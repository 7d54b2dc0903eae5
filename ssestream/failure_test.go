package ssestream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

var (
	errStore = errors.New("connection to 10.0.0.7 refused")
	errGone  = fmt.Errorf("store: %w", &ssestream.StatusError{Status: http.StatusNotFound, Err: errors.New("no such score")})
)

func failing(err error) func(context.Context, string) error {
	return func(context.Context, string) error { return err }
}

func TestLoadErrorsKeepTheStateAndAreRetried(t *testing.T) {
	t.Parallel()
	config := ssestream.RouterConfig{LoadTimeout: time.Hour, MinBackoff: time.Second, MaxBackoff: 8 * time.Second}
	inBubble(t, config, func(b bubble) {
		stream := b.connect("key=a")
		nextScore(b, stream)
		b.board.before(failing(errStore))
		b.board.set("a", 1)
		b.source.announce(b, "a")
		synctest.Wait()
		assert.Equal(b, 2, b.board.loaded("a"))

		// Pauses of 1, 2, 4, 8, 8 … s, each cut by at most half. Events in between do not hurry it.
		start := time.Now()
		for range 1000 {
			b.source.announce(b, "a")
		}
		b.quiet(stream, time.Minute)
		retries := b.board.loaded("a") - 2
		assert.GreaterOrEqual(b, retries, 9)
		assert.LessOrEqual(b, retries, 3+(60-3)/4+1)
		assert.EqualValues(b, retries+1, b.router.Stats().LoadErrors)

		b.board.before(nil)
		assert.Equal(b, 1, nextScore(b, stream).N)
		assert.LessOrEqual(b, time.Since(start), time.Minute+8*time.Second)

		// The backoff begins anew, also where the next load follows on the heels of the one that succeeded.
		b.board.before(failing(errStore))
		b.source.announce(b, "a")
		settle(time.Minute)
		first := true
		b.board.before(func(context.Context, string) error {
			if first {
				first = false
				b.board.set("a", 2)
				b.source.announce(b, "a")

				return nil
			}

			return errStore
		})
		assert.Equal(b, 2, nextScore(b, stream).N)
		b.board.set("a", 3)
		synctest.Wait()
		b.board.before(nil)
		start = time.Now()
		assert.Equal(b, 3, nextScore(b, stream).N)
		assert.LessOrEqual(b, time.Since(start), time.Second)
	})
}

// TestAStreamOpensWithoutAState while the store is away: a 5xx would stop an EventSource for good.
func TestAStreamOpensWithoutAState(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{LoadTimeout: time.Hour}, func(b bubble) {
		b.board.before(failing(errStore))
		first := b.connect("key=a")
		<-time.After(20 * time.Second)
		synctest.Wait()
		assert.Positive(b, first.Retry())
		assert.Equal(b, 1, first.Comments(), "heartbeats come meanwhile")

		// A client that joins while the room waits for its next try gets its header at once.
		start := time.Now()
		second := b.connect("key=a")
		assert.Zero(b, time.Since(start))

		b.board.before(nil)
		b.board.set("a", 1)
		assert.Equal(b, 1, nextScore(b, first).N)
		assert.Equal(b, 1, nextScore(b, second).N)
	})
}

func TestAStreamOpensWhileALoadTakesLong(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{LoadTimeout: time.Hour}, func(b bubble) {
		gate := make(chan struct{})
		b.board.before(func(context.Context, string) error { <-gate; return nil })
		start := time.Now()
		stream := b.connect("key=a")
		assert.Equal(b, 15*time.Second, time.Since(start))
		close(gate)
		nextScore(b, stream)
	})
}

func TestALoadThatHangsIsTimedOutAndRetried(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{LoadTimeout: 3 * time.Second}, func(b bubble) {
		b.board.before(func(ctx context.Context, _ string) error {
			if b.board.loaded("a") > 1 {
				return nil
			}
			<-ctx.Done()

			return ctx.Err()
		})
		start := time.Now()
		stream := b.connect("key=a")
		assert.Equal(b, 3*time.Second, time.Since(start))
		nextScore(b, stream)
	})
}

// TestAGoneStateEndsItsStreams. The browser gets the status when it reconnects.
func TestAGoneStateEndsItsStreams(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		one, two, other := b.connect("key=a"), b.connect("key=a"), b.connect("key=b")
		nextScore(b, one)
		nextScore(b, two)
		nextScore(b, other)
		b.board.before(func(_ context.Context, key string) error {
			if key == "a" {
				return errGone
			}

			return nil
		})
		b.source.announce(b, "a", "b")
		ended(b, one)
		ended(b, two)
		_, err := ssestreamtest.Connect(b.Context(), b.client, b.url+"?key=a")
		var refused *ssestreamtest.ResponseError
		require.ErrorAs(b, err, &refused)
		assert.Equal(b, http.StatusNotFound, refused.StatusCode)

		b.board.set("b", 1)
		b.source.announce(b, "b")
		assert.Equal(b, 1, nextScore(b, other).N)
		assert.EqualValues(b, 1, b.router.Stats().Rooms)
		b.board.before(nil)
		nextScore(b, b.connect("key=a"))
	})
}

// TestErrorsAtConnect has a case for each function that may refuse a stream or a plain request.
func TestErrorsAtConnect(t *testing.T) {
	t.Parallel()

	teapot := &ssestream.StatusError{Status: http.StatusTeapot}
	unavailable := &ssestream.StatusError{Status: http.StatusServiceUnavailable, Err: errStore}
	for name, test := range map[string]struct {
		change  func(b *ssestream.AdapterBuilder[changed, score])
		status  int
		detail  string
		putOff  bool // the stream is answered with a reconnection time
		waiting bool // the stream is opened
	}{
		"request key": {
			change: func(b *ssestream.AdapterBuilder[changed, score]) {
				b.RequestKey = func(*http.Request) (string, error) { return "", errors.New("bad key") }
			},
			status: http.StatusBadRequest, detail: "bad key",
		},
		"request key with status": {
			change: func(b *ssestream.AdapterBuilder[changed, score]) {
				b.RequestKey = func(*http.Request) (string, error) { return "", teapot }
			},
			status: http.StatusTeapot, detail: "418 I'm a teapot",
		},
		"request key fails with 503": {
			change: func(b *ssestream.AdapterBuilder[changed, score]) {
				b.RequestKey = func(*http.Request) (string, error) { return "", unavailable }
			},
			status: http.StatusServiceUnavailable, putOff: true,
		},
		"authorize": {
			change: func(b *ssestream.AdapterBuilder[changed, score]) {
				b.Authorize = func(_ *http.Request, key string) error { return errors.New("not yours: " + key) }
			},
			status: http.StatusForbidden, detail: "not yours: a",
		},
		"authorize with status": {
			change: func(b *ssestream.AdapterBuilder[changed, score]) {
				b.Authorize = func(*http.Request, string) error {
					return &ssestream.StatusError{Status: http.StatusUnauthorized, Err: errors.New("log in")}
				}
			},
			status: http.StatusUnauthorized, detail: "log in",
		},
		"expired": {
			change: func(b *ssestream.AdapterBuilder[changed, score]) {
				b.Expires = func(*http.Request) time.Time { return time.Now() }
			},
			status: http.StatusUnauthorized, detail: "request has expired",
		},
		"load with status": {
			change: func(b *ssestream.AdapterBuilder[changed, score]) {
				b.Load = func(context.Context, string) (score, error) { return score{}, errGone }
			},
			status: http.StatusNotFound, detail: "no such score",
		},
		"load fails without a status": {
			change: func(b *ssestream.AdapterBuilder[changed, score]) {
				b.Load = func(context.Context, string) (score, error) { return score{}, errStore }
			},
			status: http.StatusInternalServerError, waiting: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			builder := newBoard().builder()
			test.change(&builder)
			adapter, err := builder.Build()
			require.NoError(t, err)
			router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
			site := serve(t, router.AddHandler(topic, adapter))
			run(t, router)

			response := site.do(t, http.MethodGet, "key=a")
			assertProblem(t, test.status, test.detail, response)

			stream, err := ssestreamtest.Connect(t.Context(), site.client, site.url+"/?key=a")
			switch {
			case test.waiting:
				require.NoError(t, err)
				require.NoError(t, stream.Close())
			case test.putOff:
				require.NoError(t, err)
				ended(t, stream)
				assert.Positive(t, stream.Retry())
				require.NoError(t, stream.Close())
			default:
				var refused *ssestreamtest.ResponseError
				require.ErrorAs(t, err, &refused)
				assert.Equal(t, test.status, refused.StatusCode)
				assert.Contains(t, refused.Body, test.detail)
			}
		})
	}
}

func assertProblem(t *testing.T, status int, detail string, got answer) {
	t.Helper()
	assert.Equal(t, status, got.status)
	assert.Equal(t, "application/problem+json", got.header.Get("Content-Type"))
	var problem struct {
		Type, Title, Detail string
		Status              int
	}
	require.NoError(t, json.Unmarshal([]byte(got.body), &problem))
	assert.Equal(t, "about:blank", problem.Type)
	assert.Equal(t, http.StatusText(status), problem.Title)
	assert.Equal(t, status, problem.Status)
	assert.Equal(t, detail, problem.Detail, "a 5xx tells nothing of the inside")
}

func TestTheErrorHandlerIsAsked(t *testing.T) {
	t.Parallel()

	router := newRouter(t, ssestream.RouterConfig{
		UpstreamSubscriber: newSource(),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "mine: "+err.Error(), ssestream.StatusOf(err))
		},
	})
	site := serve(t, router.AddHandler(topic, newBoard().adapter(t)))
	response := site.do(t, http.MethodGet, "")
	assert.Equal(t, http.StatusBadRequest, response.status)
	assert.Equal(t, "mine: find key of request: key is missing\n", response.body)
}

// gone is the error of another package, which does not know this one.
type gone struct{}

func (gone) Error() string   { return "no such score" }
func (gone) HTTPStatus() int { return http.StatusGone }

func TestAnyErrorCanHaveAStatus(t *testing.T) {
	t.Parallel()

	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		stream := b.connect("key=a")
		nextScore(b, stream)
		b.board.before(failing(fmt.Errorf("store: %w", gone{})))
		b.source.announce(b, "a")
		_, err := stream.Next(b.Context())
		require.ErrorIs(b, err, io.EOF, "the stream ends, it does not wait")
	})
	assert.Equal(t, http.StatusGone, ssestream.StatusOf(gone{}))
}

func TestStatusOf(t *testing.T) {
	t.Parallel()

	assert.Equal(t, http.StatusNotFound, ssestream.StatusOf(errGone))
	assert.Equal(t, http.StatusInternalServerError, ssestream.StatusOf(errStore))
	assert.Equal(t, http.StatusInternalServerError, ssestream.StatusOf(&ssestream.StatusError{Status: 200}))
	require.ErrorIs(t, &ssestream.StatusError{Status: 500, Err: errStore}, errStore)
}

// TestAPanicBeforeAStream fails the request, not the process.
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
