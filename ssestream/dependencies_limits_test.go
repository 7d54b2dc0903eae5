package ssestream_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// TestTooManyDependencies are all keys.
func TestTooManyDependencies(t *testing.T) {
	t.Parallel()
	inTimelines(t, ssestream.RouterConfig{}, func(b bubble, s *timelines) {
		most := numberedKeys(ssestream.MaxDependencies)
		s.follow("many", append(slices.Clone(most), most...)...)
		s.follow("too many", append(slices.Clone(most), "one more")...)
		s.follow("all", ssestream.AllKeys)
		for _, user := range []string{"many", "too+many", "all"} {
			nextTimeline(b, b.connect("user="+user))
		}
		synctest.Wait()
		assert.EqualValues(b, ssestream.MaxDependencies+2, b.router.Stats().Dependencies)
		many, tooMany, all := s.loadedOf("many"), s.loadedOf("too many"), s.loadedOf("all")
		b.source.announce(b, "another key")
		synctest.Wait()
		assert.Equal(b, many, s.loadedOf("many"))
		assert.Equal(b, tooMany+1, s.loadedOf("too many"))
		assert.Equal(b, all+1, s.loadedOf("all"))
	})
}

// TestDependenciesOutsideOfARoom are not kept: nobody is told of changes of a plain response.
func TestDependenciesOutsideOfARoom(t *testing.T) {
	t.Parallel()
	inTimelines(t, ssestream.RouterConfig{}, func(b bubble, s *timelines) {
		s.follow("me", "a")
		assert.JSONEq(b, `{"a":0}`, b.site.do(b, http.MethodGet, "user=me").body)
		assert.Zero(b, b.router.Stats().Dependencies)
		b.source.announce(b, "a")
		synctest.Wait()
		assert.EqualValues(b, 1, b.router.Stats().Loads)
	})
}

// TestAKickGoesByTheKeyOfAStream and not by what its state depends on.
func TestAKickGoesByTheKeyOfAStream(t *testing.T) {
	t.Parallel()
	inTimelines(t, ssestream.RouterConfig{KickTopic: "kicks", KickPublisher: nobody{}}, func(b bubble, s *timelines) {
		s.follow("me", "a")
		stream := b.connect("user=me")
		nextTimeline(b, stream)
		require.NoError(b, b.router.Kick(b.Context(), ssestream.Kick{Key: "a"}))
		b.quiet(stream, time.Minute)
		require.NoError(b, b.router.Kick(b.Context(), ssestream.Kick{Key: "me"}))
		ended(b, stream)
		synctest.Wait()
		assert.Zero(b, b.router.Stats().Dependencies)
	})
}

// nobody is a publisher without a subscriber.
type nobody struct{}

func (nobody) Publish(string, ...*message.Message) error { return nil }
func (nobody) Close() error                              { return nil }

// TestDependenciesInAnotherRouter make every message load.
func TestDependenciesInAnotherRouter(t *testing.T) {
	t.Parallel()
	s := newTimelines(newBoard())
	s.follow("me", "a")
	adapter := s.adapter(t)
	r := httptest.NewRequest(http.MethodGet, "/?user=me", http.NoBody)
	msg := message.NewMessage("1", []byte(`{"Keys":["a"]}`))
	_, ok := adapter.NextStreamResponse(r, msg)
	assert.False(t, ok, "nothing was loaded")
	state, ok := adapter.InitialStreamResponse(httptest.NewRecorder(), r)
	require.True(t, ok)
	assert.Equal(t, timeline{"a": 0}, state)
	s.set("a", 1)
	state, ok = adapter.NextStreamResponse(r, msg)
	require.True(t, ok)
	assert.Equal(t, timeline{"a": 1}, state)
}
