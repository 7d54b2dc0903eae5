package ssestream_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestConvergence has random updates, events that come late and sometimes never, a store that fails now and
// then, and clients that are fast, slow, stalled, and reconnect to either of two routers. Every client has to
// see the state as of its connect or later, never an older one than before, and the last in the end.
func TestConvergence(t *testing.T) {
	t.Parallel()

	const (
		keys    = 3
		updates = 300
		clients = 8 // of each kind
	)
	board, source := newBoard(), newSource()
	board.before(func(context.Context, string) error {
		if rand.N(10) == 0 {
			return errStore
		}

		return nil
	})
	var sites []site
	for range 2 {
		router := newRouter(t, ssestream.RouterConfig{
			UpstreamSubscriber: source, Resync: 100 * time.Millisecond,
			MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
			WriteTimeout: time.Minute, // those that stall are not dropped
		})
		sites = append(sites, serve(t, router.AddHandler(topic, board.adapter(t))))
		run(t, router)
	}

	// The text makes states large enough that a client which does not read blocks its writer.
	truth := make([]atomic.Int64, keys)
	for k := range keys {
		board.setText(strconv.Itoa(k), bulk(16<<10))
	}
	var last atomic.Bool
	var wg sync.WaitGroup
	for i := range clients {
		for _, kind := range []string{"fast", "slow", "stalled", "reconnecting"} {
			wg.Go(func() {
				k := i % keys
				c := convergent{T: t, kind: kind, key: strconv.Itoa(k), truth: &truth[k], final: updates, sites: sites, last: &last}
				c.run()
			})
		}
	}
	var announcements sync.WaitGroup
	for n := 1; n <= updates; n++ {
		for k := range keys {
			key := strconv.Itoa(k)
			board.set(key, n)
			truth[k].Store(int64(n))
			switch rand.N(4) {
			case 0: // Lost: a resync has to heal it.
			case 1:
				announcements.Go(func() { source.announce(t, key) })
			default:
				source.announce(t, key)
			}
		}
	}
	announcements.Wait()
	last.Store(true)
	wg.Wait()
}

// convergent is a client of TestConvergence.
type convergent struct {
	*testing.T
	kind, key string
	truth     *atomic.Int64
	final     int
	sites     []site
	last      *atomic.Bool
	seen      int
}

func (c *convergent) run() {
	c.seen = -1
	var lastID string
	for c.seen < c.final {
		atConnect := int(c.truth.Load())
		stream, err := ssestreamtest.Connect(c.Context(), c.sites[0].client,
			c.sites[rand.N(len(c.sites))].url+"/?key="+c.key, ssestreamtest.WithLastEventID(lastID))
		if err != nil {
			c.Errorf("%s client cannot connect: %v", c.kind, err)

			return
		}
		ok := c.follow(stream, atConnect)
		lastID = stream.LastEventID()
		assert.NoError(c, stream.Close())
		if !ok {
			return
		}
	}
}

// follow reads until the last state, or until the client disconnects, and reports whether all states were right.
func (c *convergent) follow(stream *ssestreamtest.Stream, atConnect int) bool {
	enough := 1 + rand.N(10)
	for n := 0; c.seen < c.final && (c.kind != "reconnecting" || n < enough); n++ {
		for c.kind == "stalled" && !c.last.Load() {
			pause(time.Millisecond)
		}
		if c.kind == "slow" {
			pause(time.Duration(rand.N(5)) * time.Millisecond)
		}
		ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
		event, err := stream.Next(ctx)
		cancel()
		if !assert.NoError(c, err, "%s client at %d of %d", c.kind, c.seen, c.final) {
			return false
		}
		var s score
		if !assert.NoError(c, json.Unmarshal([]byte(event.Data), &s)) ||
			!assert.GreaterOrEqual(c, s.N, c.seen, "%s client goes backward", c.kind) ||
			!assert.GreaterOrEqual(c, s.N, atConnect, "%s client sees a state from before its connect", c.kind) {
			return false
		}
		c.seen = s.N
	}

	return true
}

// pause is part of the load. It waits for no condition.
func pause(d time.Duration) { <-time.After(d) }

// TestNothingIsLeft after clients of all kinds have left.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()

	board, source := newBoard(), newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
	site := serve(t, router.AddHandler(topic, board.adapter(t)))
	plain := serve(t, router.AddHandler(topic, funcAdapter{initial: always("x"), next: payload}))
	run(t, router)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			where := site
			if i%2 == 0 {
				where = plain
			}
			ctx, cancel := context.WithCancel(t.Context())
			stream, err := ssestreamtest.Connect(ctx, where.client, where.url+"/?key="+strconv.Itoa(i%5))
			if err != nil {
				t.Errorf("connect: %v", err)
				cancel()

				return
			}
			if _, err = stream.Next(ctx); err != nil {
				t.Errorf("first event: %v", err)
			}
			cancel()
			if err := stream.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	wg.Wait()
	require.Eventually(t, func() bool {
		stats := router.Stats()

		return stats.Clients == 0 && stats.Rooms == 0
	}, time.Minute, time.Millisecond)
	assert.Equal(t, http.StatusOK, site.do(t, http.MethodGet, "key=1").status)
}
