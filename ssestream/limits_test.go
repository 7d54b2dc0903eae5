package ssestream_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// turnedAway asks for a stream that there is no place for, and answers the reconnection time that it is told.
func (s site) turnedAway(tb testing.TB, query string, header ...string) time.Duration {
	tb.Helper()
	got := s.do(tb, http.MethodGet, query, append(header, "Accept", "text/event-stream")...)
	require.Equal(tb, http.StatusOK, got.status, "anything else would stop an EventSource for good: %s", got.body)
	require.Equal(tb, "text/event-stream", got.header.Get("Content-Type"))
	match := regexp.MustCompile(`^retry: (\d+)\n\n$`).FindStringSubmatch(got.body)
	require.NotNil(tb, match, "%q", got.body)
	ms, err := strconv.Atoi(match[1])
	require.NoError(tb, err)

	return time.Duration(ms) * time.Millisecond
}

// TestAStreamOverALimit is told when to come back, and gets a place when one is left.
func TestAStreamOverALimit(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]ssestream.RouterConfig{
		"in all":      {MaxClients: 2},
		"per key":     {MaxClientsPerKey: 2},
		"per address": {MaxClientsPerAddress: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config.Retry = 20 * time.Second
			onEachServer(t, settings{config: config}, func(t *testing.T, w world) {
				t.Helper()
				one, two := w.connect(t, "key=a"), w.connect(t, "key=a")
				nextScore(t, one)
				nextScore(t, two)
				retries := map[time.Duration]bool{}
				for range 10 {
					retry := w.turnedAway(t, "key=a")
					assert.InDelta(t, 20*time.Second, retry, float64(10*time.Second))
					retries[retry] = true
				}
				assert.Greater(t, len(retries), 5, "they must not come back as one")
				assert.EqualValues(t, 10, w.router.Stats().Refused)
				assert.EqualValues(t, 2, w.router.Stats().Clients)
				for range 5 {
					assert.Equal(t, http.StatusOK, w.do(t, http.MethodGet, "key=a").status, "plain requests are not limited")
				}

				require.NoError(t, one.Close())
				eventually(t, func() bool { return w.router.Stats().Clients == 1 }, "the place comes back")
				nextScore(t, w.connect(t, "key=a"))
				w.turnedAway(t, "key=a")
				assert.EqualValues(t, 11, w.router.Stats().Refused)
				w.board.set("a", 1)
				w.source.announce(t, "a")
				assert.Equal(t, 1, nextScore(t, two).N, "the others notice nothing")
			})
		})
	}
}

// TestLimitsAreOfTheirOwn key, or address.
func TestLimitsAreOfTheirOwn(t *testing.T) {
	t.Parallel()
	config := ssestream.RouterConfig{
		MaxClientsPerKey: 1, MaxClientsPerAddress: 2,
		ClientAddress: func(r *http.Request) string { return r.Header.Get("Client") },
	}
	inBubbles(t, settings{config: config}, func(b bubble) {
		ann := ssestreamtest.WithHeader("Client", "Ann")
		nextScore(b, b.connect("key=a", ann))
		b.turnedAway(b, "key=a", "Client", "Ann")
		nextScore(b, b.connect("key=b", ann))
		b.turnedAway(b, "key=c", "Client", "Ann")
		nextScore(b, b.connect("key=c", ssestreamtest.WithHeader("Client", "Bob")))
		b.turnedAway(b, "key=b", "Client", "Bob")
		nextScore(b, b.connect("key=d", ssestreamtest.WithHeader("Client", "Bob")))
		assert.EqualValues(b, 3, b.router.Stats().Refused)
	})
}

// TestPlacesComeBack however a stream ended.
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

// TestPlacesOfPlainAdapters count alike.
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

// TestPlacesOfSeveralStreams on one connection are one, but each has to find room at its key.
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

// TestStreamsThatWaitForRunHaveAPlace for they hold a connection as well.
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

// TestAPeerThatDoesNotReadItsRefusal holds its connection no longer than a write may take.
func TestAPeerThatDoesNotReadItsRefusal(t *testing.T) {
	t.Parallel()
	inBubbles(t, settings{config: ssestream.RouterConfig{MaxClients: 1}}, func(b bubble) {
		nextScore(b, b.connect("key=a"))
		transport, ok := b.client.Transport.(*http.Transport)
		require.True(b, ok)
		conn, err := transport.DialContext(b.Context(), "", "")
		require.NoError(b, err)
		defer conn.Close()
		_, err = conn.Write([]byte("GET /?key=a HTTP/1.1\r\nHost: pipe\r\nAccept: text/event-stream\r\n\r\n"))
		require.NoError(b, err)
		settle(6 * time.Second)
		_, err = conn.Read(make([]byte, 1))
		require.Error(b, err, "the connection is given up")
	})
}

// TestARefusalLeavesTheConnection of HTTP/2, and the other streams on it, as they are.
func TestARefusalLeavesTheConnection(t *testing.T) {
	t.Parallel()

	board, source := newBoard(), newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source, MaxClients: 1})
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(router.AddHandler(topic, board.adapter(t)))
	server.EnableHTTP2 = true
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	site := site{url: server.URL, client: server.Client()}
	run(t, router)
	stream := site.connect(t, "key=a")
	nextScore(t, stream)
	for range 5 {
		site.turnedAway(t, "key=a")
	}
	board.set("a", 1)
	source.announce(t, "a")
	assert.Equal(t, 1, nextScore(t, stream).N)
	assert.EqualValues(t, 1, connections.Load())
}

// TestLimitsHoldWhileManyComeAndGo and all places come back in the end.
func TestLimitsHoldWhileManyComeAndGo(t *testing.T) {
	t.Parallel()
	const most, perKey, perAddress = 12, 5, 4
	config := ssestream.RouterConfig{
		MaxClients: most, MaxClientsPerKey: perKey, MaxClientsPerAddress: perAddress,
		ClientAddress: func(r *http.Request) string { return r.URL.Query().Get("address") },
	}
	onEachServer(t, settings{config: config}, func(t *testing.T, w world) {
		t.Helper()
		var open census
		var wait sync.WaitGroup
		for i := range 24 {
			wait.Go(func() {
				for n := range 15 {
					key, address := "key="+strconv.Itoa((i+n)%3), "address="+strconv.Itoa(i%5)
					stream, err := ssestreamtest.Connect(t.Context(), w.client, w.url+"/?"+key+"&"+address)
					if !assert.NoError(t, err) { //nolint:testifylint // not the test's goroutine
						return
					}
					if _, err := stream.Next(t.Context()); err == nil {
						// It has a place from before its first event until after it has begun to leave.
						all, ofKey, ofAddress := open.come(key, address)
						assert.LessOrEqual(t, all, most)
						assert.LessOrEqual(t, ofKey, perKey)
						assert.LessOrEqual(t, ofAddress, perAddress)
						if n%3 == 0 {
							w.source.announce(t, strings.TrimPrefix(key, "key="))
						}
						open.leave(key, address)
					}
					assert.NoError(t, stream.Close())
				}
			})
		}
		wait.Wait()
		eventually(t, func() bool { return w.router.Stats().Clients == 0 && w.router.Stats().Rooms == 0 }, "all have left")
		refused := w.router.Stats().Refused
		assert.Positive(t, refused, "the limits were reached")
		for i := range most {
			nextScore(t, w.connect(t, "key="+strconv.Itoa(i%3)+"&address="+strconv.Itoa(i%3)))
		}
		assert.Equal(t, refused, w.router.Stats().Refused, "all places are there again")
		w.turnedAway(t, "key=another&address=another")
	})
}

// census counts who is here.
type census struct {
	mu     sync.Mutex
	all    int
	groups map[string]int
}

func (c *census) come(key, address string) (all, ofKey, ofAddress int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.groups == nil {
		c.groups = map[string]int{}
	}
	c.all++
	c.groups[key]++
	c.groups[address]++

	return c.all, c.groups[key], c.groups[address]
}

func (c *census) leave(key, address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	c.groups[key]--
	c.groups[address]--
}

func TestLimitsAreValidated(t *testing.T) {
	t.Parallel()

	err := ssestream.RouterConfig{
		UpstreamSubscriber: newSource(), MaxFrameBytes: -1, MaxClients: -1, MaxClientsPerKey: -1,
		MaxClientsPerAddress: -1, MinLoadInterval: ssestream.Off, DrainWindow: ssestream.Off,
	}.Validate()
	for _, field := range []string{
		"MaxFrameBytes is", "MaxClients is", "MaxClientsPerKey is", "MaxClientsPerAddress is", "MinLoadInterval is",
		"DrainWindow is",
	} {
		require.ErrorContains(t, err, field)
	}
}
