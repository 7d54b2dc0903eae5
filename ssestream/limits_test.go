package ssestream_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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

// turnedAway requests a stream that is over a limit, and returns the reconnection time. The status is 200, for any
// other stops an EventSource for good.
func (s site) turnedAway(tb testing.TB, query string, options ...ssestreamtest.Option) time.Duration {
	tb.Helper()
	stream, err := ssestreamtest.Connect(tb.Context(), s.client, s.url+"/?"+query, options...)
	require.NoError(tb, err)
	event, err := stream.Next(tb.Context())
	require.ErrorIs(tb, err, io.EOF, "it ends at once, without an event: %v", event)
	require.NoError(tb, stream.Close())

	return stream.Retry()
}

// TestAStreamOverALimit is told when to reconnect, and is accepted when another stream has ended.
func TestAStreamOverALimit(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]ssestream.RouterConfig{
		"in all":      {MaxClients: 2},
		"per key":     {MaxClientsPerKey: 2},
		"per address": {MaxClientsPerAddress: 2},
		"per principal": {
			MaxClientsPerPrincipal: 2, Principal: func(*http.Request) string { return "ann" },
		},
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

// TestLimitsAreOfTheirOwn: a full key or address does not affect others.
func TestLimitsAreOfTheirOwn(t *testing.T) {
	t.Parallel()
	config := ssestream.RouterConfig{
		MaxClientsPerKey: 1, MaxClientsPerAddress: 2,
		ClientAddress: func(r *http.Request) string { return r.Header.Get("Client") },
	}
	inBubbles(t, settings{config: config}, func(b bubble) {
		ann, bob := ssestreamtest.WithHeader("Client", "Ann"), ssestreamtest.WithHeader("Client", "Bob")
		nextScore(b, b.connect("key=a", ann))
		b.turnedAway(b, "key=a", ann)
		nextScore(b, b.connect("key=b", ann))
		b.turnedAway(b, "key=c", ann)
		nextScore(b, b.connect("key=c", bob))
		b.turnedAway(b, "key=b", bob)
		nextScore(b, b.connect("key=d", bob))
		assert.EqualValues(b, 3, b.router.Stats().Refused)
	})
}

// TestPrincipalsHaveALimitBesideAddresses. Nobody is none.
func TestPrincipalsHaveALimitBesideAddresses(t *testing.T) {
	t.Parallel()
	config := ssestream.RouterConfig{
		MaxClientsPerPrincipal: 1, MaxClientsPerAddress: 4,
		Principal: func(r *http.Request) string { return r.Header.Get("User") },
	}
	inBubbles(t, settings{config: config}, func(b bubble) {
		ann := b.connect("key=a", as("ann"))
		nextScore(b, ann)
		b.turnedAway(b, "key=a", as("ann"))
		nextScore(b, b.connect("key=a", as("bob")))
		nextScore(b, b.connect("key=a"))
		nextScore(b, b.connect("key=a"))
		b.turnedAway(b, "key=a", as("eve"))
		require.NoError(b, ann.Close())
		synctest.Wait()
		nextScore(b, b.connect("key=a", as("ann")))
		assert.EqualValues(b, 2, b.router.Stats().Refused)
	})
}

// TestAPeerThatDoesNotReadItsRefusal is disconnected after WriteTimeout.
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

// TestARefusalLeavesTheConnection of HTTP/2 open, with its other streams.
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

// TestLimitsHoldWhileManyComeAndGo. In the end all places are free.
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

// census counts the open streams.
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
