package ssestream_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestConvergenceOfSeveralStreams has clients follow changing sets of streams and come back to either of two routers,
// of which one takes connections over and one does not, with what they have. Meanwhile states flip between two
// values, and go and come back: an ID that speaks for a state which the client no longer shows would leave it there.
// In the end each client shows the last state of every stream.
func TestConvergenceOfSeveralStreams(t *testing.T) {
	t.Parallel()

	const updates, clients = 200, 12
	keys := []string{"a", "b", "c", "d"}
	board, source := newBoard(), newSource()
	board.before(func(context.Context, string) error {
		switch rand.N(20) {
		case 0:
			return errStore
		case 1:
			return errGone
		default:
			return nil
		}
	})
	var sites []site
	for _, start := range []func(tb testing.TB, h http.Handler) site{
		serve, func(tb testing.TB, h http.Handler) site { tb.Helper(); return serveHTTP2(tb, h, nil) },
	} {
		router := newRouter(t, ssestream.RouterConfig{
			UpstreamSubscriber: source, Resync: 100 * time.Millisecond,
			MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
			WriteTimeout: time.Minute, // those that stall are not dropped
		})
		sites = append(sites, start(t, flippingStreams(t, router, board)))
		run(t, router)
	}

	var last atomic.Bool
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			c := wanderer{T: t, sites: sites, keys: keys, shown: map[string]int{}}
			for !last.Load() {
				c.visit(1+rand.N(len(keys)), 1+rand.N(6))
			}
			c.settle(updates)
		})
	}
	for n := 1; n <= updates; n++ {
		for _, key := range keys {
			board.set(key, n)
			if rand.N(4) > 0 { // Some are lost: a resync has to heal that.
				source.announce(t, key)
			}
		}
		pause(time.Millisecond)
	}
	board.before(nil)
	last.Store(true)
	wg.Wait()
}

// flippingStreams serves only whether scores are even.
func flippingStreams(tb testing.TB, router *ssestream.Router, board *board) http.HandlerFunc {
	tb.Helper()
	builder := board.builder()
	builder.RequestKey = func(r *http.Request) (string, error) { return r.PathValue("key"), nil }
	load := builder.Load
	builder.Load = func(ctx context.Context, key string) (score, error) {
		s, err := load(ctx, key)
		s.N %= 2

		return s, err
	}
	adapter, err := builder.Build()
	require.NoError(tb, err)
	h, err := router.AddStreamsHandler(ssestream.Stream{Pattern: "score:{key}", Topics: []string{topic}, Adapter: adapter})
	require.NoError(tb, err)

	return h
}

// wanderer is a client that keeps changing the streams that it follows.
type wanderer struct {
	*testing.T
	sites []site
	keys  []string
	shown map[string]int // by key
	id    string
}

// visit follows random streams until it has read the events, or none comes for a while.
func (c *wanderer) visit(streams, events int) {
	picked := rand.Perm(len(c.keys))[:streams]
	query := url.Values{}
	for _, i := range picked {
		query.Add("stream", "score:"+c.keys[i])
	}
	stream, ok := c.connect(query)
	if !ok {
		return
	}
	defer func() { assert.NoError(c, stream.Close()) }()
	for range events {
		ctx, cancel := context.WithTimeout(c.Context(), 20*time.Millisecond)
		event, err := stream.Next(ctx)
		cancel()
		if err != nil {
			return
		}
		c.show(event)
	}
}

// connect connects to one of the routers with its last event ID, in the header or in the query.
func (c *wanderer) connect(query url.Values) (*ssestreamtest.Stream, bool) {
	var options []ssestreamtest.Option
	if rand.N(2) == 0 {
		options = append(options, ssestreamtest.WithLastEventID(c.id))
	} else {
		query.Set("lastEventId", c.id)
	}
	site := c.sites[rand.N(len(c.sites))]
	stream, err := ssestreamtest.Connect(c.Context(), site.client, site.url+"/?"+query.Encode(), options...)

	return stream, assert.NoError(c, err)
}

// show updates the page: a problem takes the place of the state.
func (c *wanderer) show(event ssestreamtest.Event) {
	c.id = event.ID
	if event.Type == "problem" {
		var p struct{ Stream string }
		if err := json.Unmarshal([]byte(event.Data), &p); err != nil {
			c.Errorf("%s: %v", event.Data, err)
		}
		delete(c.shown, strings.TrimPrefix(p.Stream, "score:"))

		return
	}
	var s score
	if assert.NoError(c, json.Unmarshal([]byte(event.Data), &s), event.Data) {
		c.shown[strings.TrimPrefix(event.Type, "score:")] = s.N
	}
}

// settle follows all streams until it shows a state of the last version for each.
func (c *wanderer) settle(last int) {
	stream, ok := c.connect(url.Values{"stream": {"score:a", "score:b", "score:c", "score:d"}})
	if !ok {
		return
	}
	defer func() { assert.NoError(c, stream.Close()) }()
	ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
	defer cancel()
	for !c.settled(last) {
		event, err := stream.Next(ctx)
		if err != nil {
			c.Errorf("it shows %v of %d: %v", c.shown, last, err)

			return
		}
		c.show(event)
	}
}

func (c *wanderer) settled(last int) bool {
	for _, key := range c.keys {
		if n, ok := c.shown[key]; !ok || n%2 != last%2 {
			return false
		}
	}

	return true
}
