package ssestream_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

const kickTopic = "kicks"

// as has requests come from a user.
func as(user string) ssestreamtest.Option { return ssestreamtest.WithHeader("User", user) }

// kickable is a configuration for Kick.
func kickable(tb testing.TB) ssestream.RouterConfig {
	tb.Helper()
	publisher := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{}) // to nobody
	tb.Cleanup(func() { _ = publisher.Close() })

	return ssestream.RouterConfig{
		Principal:     func(r *http.Request) string { return r.Header.Get("User") },
		KickTopic:     kickTopic,
		KickPublisher: publisher,
	}
}

// rights are who is allowed what at present.
type rights struct {
	mu      sync.Mutex
	refused map[string]error
	keys    map[string]string
	expires map[string]time.Time
	check   func(user string)
}

func newRights() *rights {
	return &rights{refused: map[string]error{}, keys: map[string]string{}, expires: map[string]time.Time{}}
}

func (s *rights) set(f func(s *rights)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *rights) apply(b *ssestream.AdapterBuilder[changed, score]) {
	requestKey := b.RequestKey
	b.RequestKey = func(r *http.Request) (string, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if key, ok := s.keys[r.Header.Get("User")]; ok {
			return key, nil
		}

		return requestKey(r)
	}
	b.Authorize = func(r *http.Request, _ string) error {
		s.mu.Lock()
		err, check := s.refused[r.Header.Get("User")], s.check
		s.mu.Unlock()
		if check != nil {
			check(r.Header.Get("User"))
		}

		return err
	}
	b.Expires = func(r *http.Request) time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()

		return s.expires[r.Header.Get("User")]
	}
}

// TestKick ends the streams of a key, of a principal, or of both, on every kind of connection. They have ended when it
// returns.
func TestKick(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kick ssestream.Kick
		ends []int // of: ann at a, ann at b, bob at a, nobody at a
	}{
		"a key":                  {ssestream.Kick{Key: "a"}, []int{0, 2, 3}},
		"a principal":            {ssestream.Kick{Principal: "ann"}, []int{0, 1}},
		"a principal at a key":   {ssestream.Kick{Key: "a", Principal: "ann"}, []int{0}},
		"nobody is there":        {ssestream.Kick{Principal: "eve"}, nil},
		"a key without streams":  {ssestream.Kick{Key: "c"}, nil},
		"all may go on":          {ssestream.Kick{Key: "a", Authorize: true}, nil},
		"ann's may not go on":    {ssestream.Kick{Principal: "ann", Authorize: true}, []int{0, 1}},
		"ann's at a may not":     {ssestream.Kick{Key: "a", Principal: "ann", Authorize: true}, []int{0}},
		"ann's are among others": {ssestream.Kick{Key: "b", Authorize: true}, []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachServer(t, settings{config: kickable(t), rights: true}, func(t *testing.T, w world) {
				t.Helper()
				streams := []*ssestreamtest.Stream{
					w.connect(t, "key=a", as("ann")), w.connect(t, "key=b", as("ann")),
					w.connect(t, "key=a", as("bob")), w.connect(t, "key=a"),
				}
				for _, stream := range streams {
					nextScore(t, stream)
				}
				if test.kick.Principal == "ann" || test.kick.Key == "b" {
					w.rights.set(func(s *rights) { s.refused["ann"] = errors.New("logged out") })
				}
				require.NoError(t, w.router.Kick(t.Context(), test.kick))
				assert.EqualValues(t, len(streams)-len(test.ends), w.router.Stats().Clients, "they have ended")
				w.board.set("a", 1)
				w.board.set("b", 1)
				w.source.announce(t, "a", "b")
				ends := map[int]bool{}
				for _, i := range test.ends {
					ends[i] = true
				}
				for i, stream := range streams {
					if ends[i] {
						ended(t, stream)
					} else {
						assert.Equal(t, 1, nextScore(t, stream).N, "stream %d goes on", i)
					}
				}
			})
		})
	}
}

// TestAuthorizeAgain has a case for each answer that ends a stream, or does not.
func TestAuthorizeAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(s *rights)
		ends   bool
	}{
		"allowed":         {change: func(*rights) {}},
		"refused":         {change: func(s *rights) { s.refused["ann"] = errors.New("not yours") }, ends: true},
		"cannot be known": {change: func(s *rights) { s.refused["ann"] = &ssestream.StatusError{Status: 503} }, ends: true},
		"panics":          {change: func(s *rights) { s.check = func(string) { panic("boom") } }, ends: true},
		"another key":     {change: func(s *rights) { s.keys["ann"] = "b" }, ends: true},
		"expired":         {change: func(s *rights) { s.expires["ann"] = time.Now() }, ends: true},
		"expires earlier": {change: func(s *rights) { s.expires["ann"] = time.Now().Add(time.Minute) }, ends: true},
		"expires later":   {change: func(s *rights) { s.expires["ann"] = time.Now().Add(3 * time.Hour) }},
		"never expires":   {change: func(s *rights) { delete(s.expires, "ann") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, settings{config: kickable(t), rights: true}, func(b bubble) {
				b.rights.set(func(s *rights) { s.expires["ann"] = time.Now().Add(time.Hour) })
				stream := b.connect("key=a", as("ann"))
				nextScore(b, stream)
				b.rights.set(test.change)
				require.NoError(b, b.router.Kick(b.Context(), ssestream.Kick{Key: "a", Authorize: true}))
				if test.ends {
					ended(b, stream)
				} else {
					b.quiet(stream, 10*time.Second)
				}
			})
		})
	}
}

// TestKickDoesNotWaitForStalledPeers: a write that is under way is ended.
func TestKickDoesNotWaitForStalledPeers(t *testing.T) {
	t.Parallel()
	inBubbles(t, settings{config: kickable(t)}, func(b bubble) {
		b.connectAndStall()
		b.board.set("a", 1)
		b.source.announce(b, "a")
		synctest.Wait()
		start := time.Now()
		require.NoError(b, b.router.Kick(b.Context(), ssestream.Kick{Key: "a"}))
		assert.Zero(b, time.Since(start))
		assert.Equal(b, int64(0), b.router.Stats().Clients+b.router.Stats().Dropped)
	})
}

// TestKickOfSeveralStreams ends the connection: a client that reconnects is sent only what it lacks.
func TestKickOfSeveralStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		allowed, board := newRights(), newBoard()
		builder := board.builder()
		builder.RequestKey = func(r *http.Request) (string, error) { return r.PathValue("key"), nil }
		allowed.apply(&builder)
		open, err := builder.Build()
		require.NoError(t, err)
		builder.Authorize = nil
		free, err := builder.Build()
		require.NoError(t, err)
		config := kickable(t)
		config.UpstreamSubscriber = newSource()
		router := newRouter(t, config)
		h, err := router.AddStreamsHandler(
			ssestream.Stream{Pattern: "score:{key}", Topics: []string{topic}, Adapter: open},
			ssestream.Stream{Pattern: "free:{key}", Topics: []string{topic}, Adapter: free},
		)
		require.NoError(t, err)
		b := bubble{T: t, site: servePipes(t, h)}
		run(t, router)
		const query = "stream=score:a&stream=free:b"
		had := ""
		again := func(last *ssestreamtest.Stream) *ssestreamtest.Stream {
			if id := last.LastEventID(); id != "" {
				had = id
			}

			return b.connect(query, as("ann"), ssestreamtest.WithLastEventID(had))
		}
		stream := b.connect(query, as("ann"))
		take(b.T, stream, 2)

		authorize := ssestream.Kick{Principal: "ann", Authorize: true}
		require.NoError(b, router.Kick(b.Context(), authorize))
		b.quiet(stream, time.Minute)
		require.NoError(b, router.Kick(b.Context(), ssestream.Kick{Key: "b"}))
		ended(b, stream)
		stream = again(stream)
		b.quiet(stream, time.Minute)

		allowed.set(func(s *rights) { s.refused["ann"] = errors.New("logged out") })
		require.NoError(b, router.Kick(b.Context(), authorize))
		ended(b, stream)
		stream = again(stream)
		assert.InDelta(b, 403, problemOf(b, stream)["status"], 0)
		require.NoError(b, router.Kick(b.Context(), authorize))
		b.quiet(stream, time.Minute)

		allowed.set(func(s *rights) { delete(s.refused, "ann") })
		require.NoError(b, router.Kick(b.Context(), authorize))
		ended(b, stream)
		assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":0}`}, take(b.T, again(stream), 1), "after a login")
	})
}

// TestKickOfOtherAdapters ends the streams of a principal, whatever it asks.
func TestKickOfOtherAdapters(t *testing.T) {
	t.Parallel()
	config := kickable(t)
	config.UpstreamSubscriber = newSource()
	router := newRouter(t, config)
	site := serve(t, router.AddHandler(topic, funcAdapter{initial: always("hello"), next: payload}))
	run(t, router)
	ann, bob := site.connect(t, "", as("ann")), site.connect(t, "", as("bob"))
	next(t, ann)
	next(t, bob)
	require.NoError(t, router.Kick(t.Context(), ssestream.Kick{Principal: "ann", Authorize: true}))
	ended(t, ann)
	assert.EqualValues(t, 1, router.Stats().Clients)
	require.NoError(t, router.Kick(t.Context(), ssestream.Kick{Principal: "bob"}))
	ended(t, bob)
}

func TestKicksThatCannotBe(t *testing.T) {
	t.Parallel()
	alone := newRouter(t, ssestream.RouterConfig{})
	require.ErrorContains(t, alone.Kick(t.Context(), ssestream.Kick{}), "neither a key nor a principal")
	require.ErrorContains(t, alone.Kick(t.Context(), ssestream.Kick{Principal: "ann"}), "Principal is not set")
	require.NoError(t, alone.Kick(t.Context(), ssestream.Kick{Key: "a"}), "there are no others")
	withBroker := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
	require.ErrorContains(t, withBroker.Kick(t.Context(), ssestream.Kick{Key: "a"}), "KickTopic is not set")

	config := kickable(t)
	config.UpstreamSubscriber = newSource()
	require.NoError(t, config.KickPublisher.Close())
	require.ErrorContains(t, newRouter(t, config).Kick(t.Context(), ssestream.Kick{Key: "a"}), "tell other routers")

	err := ssestream.RouterConfig{KickTopic: kickTopic, MaxClientsPerPrincipal: 1}.Validate()
	require.ErrorContains(t, err, "KickTopic needs")
	require.ErrorContains(t, err, "MaxClientsPerPrincipal needs")
}

// TestKickEndsWithItsContext where a stream cannot end, and nothing is sent on that either.
func TestKickEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		config, source := kickable(t), newSource()
		config.UpstreamSubscriber = source
		router := newRouter(t, config)
		site := servePipes(t, router.AddHandler(topic, funcAdapter{
			initial: always("hello"),
			next:    func(*http.Request, *message.Message) (any, bool) { <-gate; return "late", true },
		}))
		run(t, router)
		stream := site.connect(t, "", as("ann"))
		next(t, stream)
		source.send(t, topic, nil)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := router.Kick(ctx, ssestream.Kick{Principal: "ann"})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		close(gate)
		ended(t, stream)
	})
}
