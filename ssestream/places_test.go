package ssestream_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestPlacesComeBack after every kind of end of a stream.
func TestPlacesComeBack(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b bubble){
		"refused at connect": func(b bubble) {
			assert.Equal(b, http.StatusForbidden, b.do(b, http.MethodGet, "key=forbidden", "Accept", "text/event-stream").status)
		},
		"refused by the load": func(b bubble) {
			b.board.before(failing(errGone))
			assert.Equal(b, http.StatusNotFound, b.do(b, http.MethodGet, "key=a", "Accept", "text/event-stream").status)
		},
		"gone": func(b bubble) {
			stream := b.connect("key=a")
			nextScore(b, stream)
			b.board.before(failing(errGone))
			b.source.announce(b, "a")
			ended(b, stream)
		},
		"left while the load fails": func(b bubble) {
			b.board.before(failing(errStore))
			require.NoError(b, b.connect("key=a").Close())
		},
		"left while it waits for the first load": func(b bubble) {
			b.board.before(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() })
			ctx, cancel := context.WithTimeout(b.Context(), time.Second)
			defer cancel()
			_, err := ssestreamtest.Connect(ctx, b.client, b.url+"/?key=a")
			require.ErrorIs(b, err, context.DeadlineExceeded)
		},
		"left": func(b bubble) {
			stream := b.connect("key=a")
			nextScore(b, stream)
			require.NoError(b, stream.Close())
		},
		"expired": func(b bubble) {
			stream := b.connect("key=a&expires")
			nextScore(b, stream)
			ended(b, stream)
		},
		"expired before its first state": func(b bubble) {
			b.board.before(failing(errStore))
			ended(b, b.connect("key=a&expires"))
		},
		"stalled": func(b bubble) {
			b.connectAndStall()
			b.board.set("a", 1)
			b.source.announce(b, "a")
			settle(6 * time.Second)
			assert.EqualValues(b, 1, b.router.Stats().Dropped)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, settings{
				config: ssestream.RouterConfig{MaxClients: 1, MaxClientsPerKey: 1, MaxClientsPerAddress: 1},
				builder: func(b *ssestream.AdapterBuilder[changed, score]) {
					b.Authorize = func(_ *http.Request, key string) error {
						if key == "forbidden" {
							return errors.New("not yours")
						}

						return nil
					}
					b.Expires = func(r *http.Request) time.Time {
						if r.URL.Query().Has("expires") {
							return time.Now().Add(10 * time.Second)
						}

						return time.Time{}
					}
				},
			}, func(b bubble) {
				end(b)
				synctest.Wait()
				assert.Zero(b, b.router.Stats().Clients)
				assert.Zero(b, b.router.Stats().Rooms)
				b.board.before(nil)
				nextScore(b, b.connect("key=a"))
				assert.Zero(b, b.router.Stats().Refused)
				b.turnedAway(b, "key=a")
			})
		})
	}
}

// TestPlacesOfPlainAdapters are counted in the same way.
func TestPlacesOfPlainAdapters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource(), MaxClients: 1})
		site := servePipes(t, router.AddHandler(topic, funcAdapter{
			initial: func(w http.ResponseWriter, r *http.Request) (any, bool) {
				switch r.URL.RawQuery {
				case "no":
					w.WriteHeader(http.StatusNotFound)

					return nil, false
				case "panic":
					panic(http.ErrAbortHandler)
				default:
					return "hello", true
				}
			},
			next: payload,
		}))
		typed := servePipes(t, router.AddHandler(topic, newBoard().adapter(t)))
		run(t, router)

		assert.Equal(t, http.StatusNotFound, site.do(t, http.MethodGet, "no", "Accept", "text/event-stream").status)
		_, err := ssestreamtest.Connect(t.Context(), site.client, site.url+"/?panic")
		require.Error(t, err)
		stream := site.connect(t, "")
		next(t, stream)
		site.turnedAway(t, "")
		typed.turnedAway(t, "key=a")
		assert.EqualValues(t, 2, router.Stats().Refused)
		assert.Equal(t, http.StatusOK, site.do(t, http.MethodGet, "").status)
		require.NoError(t, stream.Close())
		synctest.Wait()
		next(t, site.connect(t, ""))
	})
}

// TestPlacesOfSeveralStreams: a connection takes one place, and one at the key of each stream.
func TestPlacesOfSeveralStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		board := newBoard()
		builder := board.builder()
		builder.RequestKey = func(r *http.Request) (string, error) { return r.PathValue("key"), nil }
		builder.Authorize = func(_ *http.Request, key string) error {
			if key == "secret" {
				return errors.New("not yours")
			}

			return nil
		}
		adapter, err := builder.Build()
		require.NoError(t, err)
		router := newRouter(t, ssestream.RouterConfig{
			UpstreamSubscriber: newSource(), MaxClients: 2, MaxClientsPerKey: 1,
		})
		h, err := router.AddStreamsHandler(ssestream.Stream{Pattern: "score:{key}", Topics: []string{topic}, Adapter: adapter})
		require.NoError(t, err)
		site := servePipes(t, h)
		run(t, router)

		one := site.connect(t, "stream=score:a&stream=score:b&stream=score:secret")
		names := map[string]string{}
		for range 3 {
			event := next(t, one)
			names[event.Type] += event.Data
		}
		assert.Contains(t, names["score:a"], `"Key":"a"`)
		assert.Contains(t, names["score:b"], `"Key":"b"`)
		assert.Contains(t, names["problem"], `"stream":"score:secret"`)
		assert.Contains(t, names["problem"], `"status":403`, "each key is authorized")

		two := site.connect(t, "stream=score:b&stream=score:c")
		event := next(t, two)
		assert.Equal(t, "problem", event.Type)
		assert.Contains(t, event.Data, `"stream":"score:b"`)
		assert.Contains(t, event.Data, `"status":503`)
		assert.Equal(t, "score:c", next(t, two).Type, "the others go on")
		assert.EqualValues(t, 1, router.Stats().Refused)

		site.turnedAway(t, "stream=score:d")
		require.NoError(t, one.Close())
		synctest.Wait()
		next(t, site.connect(t, "stream=score:b"))
		require.NoError(t, two.Close())
	})
}

// TestStreamsThatWaitForRunHaveAPlace, for they hold a connection.
func TestStreamsThatWaitForRunHaveAPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource(), MaxClients: 1})
		typed := servePipes(t, router.AddHandler(topic, newBoard().adapter(t)))
		plain := servePipes(t, router.AddHandler(topic, funcAdapter{initial: always("hello"), next: payload}))
		streams := bubble{T: t, site: typed}.connectLater("key=a")
		synctest.Wait()
		typed.turnedAway(t, "key=a")
		plain.turnedAway(t, "")
		run(t, router)
		nextScore(t, <-streams)
	})
}
