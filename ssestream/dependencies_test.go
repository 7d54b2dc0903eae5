package ssestream_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// timelines are states that depend on the scores that their users follow.
type timelines struct {
	*board

	mu      sync.Mutex
	follows map[string][]string
	loads   map[string]int
	read    func(ctx context.Context, user string) error
}

type timeline map[string]int

func newTimelines(b *board) *timelines {
	return &timelines{board: b, follows: map[string][]string{}, loads: map[string]int{}}
}

func (s *timelines) follow(user string, keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follows[user] = keys
}

// after has every load call f when it has read, and before it tells what it has read.
func (s *timelines) after(f func(ctx context.Context, user string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = f
}

func (s *timelines) loadedOf(user string) int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.loads[user]
}

func (s *timelines) load(ctx context.Context, user string) (timeline, error) {
	s.mu.Lock()
	s.loads[user]++
	keys, read := slices.Clone(s.follows[user]), s.read
	s.mu.Unlock()
	state := timeline{}
	s.board.mu.Lock()
	for _, key := range keys {
		state[key] = s.scores[key].N
	}
	s.board.mu.Unlock()
	var err error
	if read != nil {
		err = read(ctx, user)
	}
	ssestream.DependOn(ctx, keys...)

	return state, err
}

func (s *timelines) adapter(tb testing.TB) *ssestream.Adapter[changed, timeline] {
	tb.Helper()
	adapter, err := ssestream.AdapterBuilder[changed, timeline]{
		RequestKey: func(r *http.Request) (string, error) { return r.URL.Query().Get("user"), nil },
		EventKeys:  func(e changed) []string { return e.Keys },
		Load:       s.load,
		Compress:   compressed(),
	}.Build()
	require.NoError(tb, err)

	return adapter
}

// inTimelines runs f with a running router of timelines.
func inTimelines(t *testing.T, config ssestream.RouterConfig, f func(b bubble, s *timelines)) {
	t.Helper()
	var s *timelines
	inBubbleOf(t, config, func(router *ssestream.Router, board *board) http.Handler {
		s = newTimelines(board)

		return router.AddHandler(topic, s.adapter(t))
	}, func(b bubble) { f(b, s) })
}

func nextTimeline(tb testing.TB, stream *ssestreamtest.Stream) timeline {
	tb.Helper()
	event := next(tb, stream)
	require.Equal(tb, "data", event.Type)
	var state timeline
	require.NoError(tb, json.Unmarshal([]byte(event.Data), &state))

	return state
}

// numberedKeys returns the keys k0, k1 and so on.
func numberedKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = "k" + strconv.Itoa(i)
	}

	return keys
}

// TestAStateDependsOnManyKeys and has one room, and one load for a change of any of them.
func TestAStateDependsOnManyKeys(t *testing.T) {
	t.Parallel()
	inTimelines(t, ssestream.RouterConfig{}, func(b bubble, s *timelines) {
		keys := numberedKeys(200)
		s.follow("me", keys...)
		s.follow("other", "k0")
		mine, again, other := b.connect("user=me"), b.connect("user=me"), b.connect("user=other")
		for _, stream := range []*ssestreamtest.Stream{mine, again} {
			assert.Len(b, nextTimeline(b, stream), 200)
		}
		nextTimeline(b, other)
		synctest.Wait()
		stats := b.router.Stats()
		assert.EqualValues(b, 2, stats.Rooms)
		assert.EqualValues(b, 201, stats.Dependencies)
		before, beforeOther := s.loadedOf("me"), s.loadedOf("other")

		for i, key := range keys[1:] {
			b.board.set(key, 1)
			b.source.announce(b, key, "nobody follows this")
			assert.Equal(b, 1, nextTimeline(b, mine)[key])
			assert.Equal(b, 1, nextTimeline(b, again)[key])
			assert.Equal(b, before+i+1, s.loadedOf("me"))
		}
		b.source.announce(b, "nobody follows this")
		b.quiet(mine, time.Minute)
		assert.Equal(b, before+199, s.loadedOf("me"))
		assert.Equal(b, beforeOther, s.loadedOf("other"), "its keys have not changed")
	})
}

// TestDependenciesChangeWithALoad which an event about the key itself has caused.
func TestDependenciesChangeWithALoad(t *testing.T) {
	t.Parallel()
	inTimelines(t, ssestream.RouterConfig{}, func(b bubble, s *timelines) {
		s.follow("me", "a", "b")
		stream := b.connect("user=me")
		nextTimeline(b, stream)
		s.follow("me", "b", "c", "d")
		b.source.announce(b, "me")
		assert.Equal(b, timeline{"b": 0, "c": 0, "d": 0}, nextTimeline(b, stream))
		synctest.Wait()
		assert.EqualValues(b, 3, b.router.Stats().Dependencies)
		loads := s.loadedOf("me")
		b.source.announce(b, "a")
		settle(time.Second)
		assert.Equal(b, loads, s.loadedOf("me"), "a is followed no more")
		for i, key := range []string{"b", "c", "d"} {
			b.board.set(key, 7)
			b.source.announce(b, key)
			assert.Equal(b, 7, nextTimeline(b, stream)[key])
			assert.Equal(b, loads+i+1, s.loadedOf("me"))
		}
		require.NoError(b, stream.Close())
		synctest.Wait()
		assert.Zero(b, b.router.Stats().Dependencies)
	})
}

// TestAChangeDuringALoadIsNotMissed where the load tells only then that the state depends on what changed.
func TestAChangeDuringALoadIsNotMissed(t *testing.T) {
	t.Parallel()
	inTimelines(t, ssestream.RouterConfig{}, func(b bubble, s *timelines) {
		var change func()
		s.after(func(_ context.Context, user string) error {
			s.mu.Lock()
			now := change
			change = nil
			s.mu.Unlock()
			if user == "me" && now != nil {
				now()
			}

			return nil
		})
		during := func(f func()) {
			s.mu.Lock()
			defer s.mu.Unlock()
			change = f
		}
		changes := func(key string, n int) func() {
			return func() {
				b.board.set(key, n)
				b.source.announce(b, key)
			}
		}
		last := func(stream *ssestreamtest.Stream, want timeline) {
			b.Helper()
			for !assert.ObjectsAreEqual(want, nextTimeline(b, stream)) {
			}
			b.quiet(stream, time.Minute)
		}
		// The first load of all, before anything depends on a key.
		s.follow("me", "a", "b")
		during(changes("b", 1))
		stream := b.connect("user=me")
		last(stream, timeline{"a": 0, "b": 1})
		assert.Equal(b, 2, s.loadedOf("me"))
		// A key that is new to the room.
		s.follow("me", "b", "c")
		during(changes("c", 2))
		b.source.announce(b, "me")
		last(stream, timeline{"b": 1, "c": 2})
		assert.Equal(b, 4, s.loadedOf("me"))
		// One that the room has.
		during(changes("b", 3))
		b.source.announce(b, "me")
		last(stream, timeline{"b": 3, "c": 2})
		assert.Equal(b, 6, s.loadedOf("me"))
		// A key that it does not depend on.
		s.follow("me", "c", "d")
		during(changes("b", 4))
		b.source.announce(b, "me")
		last(stream, timeline{"c": 2, "d": 0})
		assert.LessOrEqual(b, s.loadedOf("me"), 8, "b was known, so the room was told")
		assert.EqualValues(b, 2, b.router.Stats().Dependencies)
	})
}

// TestAdaptersHaveTheirOwnDependencies follows equal keys of one topic with two adapters. What one depends on does not
// load the other.
func TestAdaptersHaveTheirOwnDependencies(t *testing.T) {
	t.Parallel()
	var one, two *timelines
	inBubbleOf(t, ssestream.RouterConfig{}, func(router *ssestream.Router, board *board) http.Handler {
		one, two = newTimelines(board), newTimelines(board)
		mux := http.NewServeMux()
		mux.Handle("/", router.AddHandler(topic, one.adapter(t)))
		mux.Handle("/two", router.AddHandler(topic, two.adapter(t)))

		return mux
	}, func(b bubble) {
		one.follow("me", "a")
		two.follow("me", "b")
		first := b.connect("user=me")
		nextTimeline(b, first)
		there := b
		there.url += "/two?x="
		second := there.connect("&user=me")
		nextTimeline(b, second)
		b.board.set("a", 1)
		b.source.announce(b, "a")
		assert.Equal(b, timeline{"a": 1}, nextTimeline(b, first))
		b.quiet(second, time.Minute)
		assert.Equal(b, 1, two.loadedOf("me"))
		b.board.set("b", 2)
		b.source.announce(b, "b")
		assert.Equal(b, timeline{"b": 2}, nextTimeline(b, second))
		assert.Equal(b, 2, one.loadedOf("me"))
	})
}

// TestManyThatDependOnAKeyLeaveSlots to others, as a reload of all rooms does, and load once each.
func TestManyThatDependOnAKeyLeaveSlots(t *testing.T) {
	t.Parallel()
	config := ssestream.RouterConfig{ConcurrentLoads: 4, LoadTimeout: time.Hour}
	inTimelines(t, config, func(b bubble, s *timelines) {
		const rooms = 50
		s.follow("alone", "other")
		alone := b.connect("user=alone")
		nextTimeline(b, alone)
		streams := make([]*ssestreamtest.Stream, rooms)
		for i := range streams {
			user := strconv.Itoa(i)
			s.follow(user, "popular", "k"+user)
			streams[i] = b.connect("user=" + user)
			nextTimeline(b, streams[i])
		}
		gate := make(chan struct{})
		var loading sync.Map
		s.after(func(_ context.Context, user string) error {
			if user != "alone" {
				loading.Store(user, true)
				<-gate
			}

			return nil
		})
		b.board.set("popular", 1)
		b.source.announce(b, "popular")
		synctest.Wait()
		b.source.announce(b, "popular", "k1")
		synctest.Wait()
		n := 0
		loading.Range(func(any, any) bool { n++; return true })
		assert.Equal(b, 2, n, "half of the loads that may run at once")
		b.board.set("other", 1)
		b.source.announce(b, "other")
		assert.Equal(b, timeline{"other": 1}, nextTimeline(b, alone), "others have the rest")
		before := b.router.Stats().Loads
		close(gate)
		for _, stream := range streams {
			assert.Equal(b, 1, nextTimeline(b, stream)["popular"])
		}
		b.quiet(alone, time.Minute)
		assert.EqualValues(b, rooms, b.router.Stats().Loads-before, "two had begun before the second event, and load again")
	})
}

// TestAStateThatDoesNotExistDependsOnKeys too.
func TestAStateThatDoesNotExistDependsOnKeys(t *testing.T) {
	t.Parallel()
	var s *timelines
	inBubbleOf(t, ssestream.RouterConfig{}, func(router *ssestream.Router, board *board) http.Handler {
		s = newTimelines(board)
		builder := ssestream.AdapterBuilder[changed, timeline]{
			RequestKey: func(*http.Request) (string, error) { return "me", nil },
			EventKeys:  func(e changed) []string { return e.Keys },
			Load:       s.load,
		}
		adapter, err := builder.Build()
		require.NoError(t, err)
		handler, err := router.AddStreamsHandler(ssestream.Stream{Pattern: "mine", Topics: []string{topic}, Adapter: adapter})
		require.NoError(t, err)

		return handler
	}, func(b bubble) {
		s.follow("me", "a")
		gone := &ssestream.StatusError{Status: http.StatusNotFound, Err: errors.New("nothing yet")}
		s.after(func(context.Context, string) error { return gone })
		stream := b.connect("stream=mine")
		assert.Equal(b, "problem", next(b, stream).Type)
		s.after(nil)
		b.board.set("a", 1)
		b.source.announce(b, "a")
		assert.JSONEq(b, `{"a":1}`, next(b, stream).Data)
	})
}
