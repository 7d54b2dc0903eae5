package ssestream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// user returns the header of a request in the session of that user.
func user(name string) (field, value string) { return "Cookie", "session=" + name }

// asUser is user for a stream.
func asUser(name string) ssestreamtest.Option { return ssestreamtest.WithHeader(user(name)) }

// profiles builds an adapter of the state of whoever is logged in. Its version is that of the user's row, which is 7 for
// everybody.
func profiles(tb testing.TB, b *board) *ssestream.Adapter[changed, score] {
	tb.Helper()
	builder := b.builder()
	builder.RequestKey = func(r *http.Request) (string, error) {
		session, err := r.Cookie("session")
		if err != nil {
			return "", err
		}

		return session.Value, nil
	}
	builder.Version = func(score) string { return "7" }
	adapter, err := builder.Build()
	require.NoError(tb, err)

	return adapter
}

// TestStateOfTheUser who is logged in now, at an address and in a browser that had the state of another.
func TestStateOfTheUser(t *testing.T) {
	t.Parallel()
	adapter := profiles(t, newBoard())
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
	site := serve(t, router.AddHandler(topic, adapter))
	streams, err := router.AddStreamsHandler(ssestream.Stream{Pattern: "me", Topics: []string{topic}, Adapter: adapter})
	require.NoError(t, err)
	several := serve(t, streams)
	run(t, router)

	alice, bob := score{Key: "alice"}, score{Key: "bob"}
	field, cookie := user("alice")
	tag := site.do(t, http.MethodGet, "", field, cookie).header.Get("ETag")
	_, cookie = user("bob")
	answer := site.do(t, http.MethodGet, "", field, cookie, "If-None-Match", tag)
	assert.Equal(t, http.StatusOK, answer.status)
	assert.Contains(t, answer.body, "bob")

	had := next(t, site.connect(t, "", asUser("alice")))
	assert.Equal(t, alice, scoreOf(t, had))
	assert.Equal(t, bob, nextScore(t, site.connect(t, "", asUser("bob"), ssestreamtest.WithLastEventID(had.ID))))

	had = next(t, several.connect(t, "stream=me", asUser("alice")))
	assert.Contains(t, had.Data, "alice")
	hers := next(t, several.connect(t, "stream=me", asUser("bob"), ssestreamtest.WithLastEventID(had.ID)))
	assert.Contains(t, hers.Data, "bob")
}

// TestStateOfTheHandler that serves an address now, where another with the same types, topics, keys and versions served it
// before: the handlers of an administrator and of the public, between which middleware chooses.
func TestStateOfTheHandler(t *testing.T) {
	t.Parallel()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
	single, several := map[string]http.Handler{}, map[string]http.Handler{}
	for _, role := range []string{"admin", "public"} {
		builder := newBoard().builder()
		builder.Version = func(score) string { return "7" }
		builder.Load = func(_ context.Context, key string) (score, error) { return score{Key: key, Text: "for " + role}, nil }
		builder.RequestKey = func(*http.Request) (string, error) { return "a", nil }
		adapter, err := builder.Build()
		require.NoError(t, err)
		single[role] = router.AddHandler(topic, adapter)
		several[role], err = router.AddStreamsHandler(
			ssestream.Stream{Pattern: "page", Topics: []string{topic}, Adapter: adapter})
		require.NoError(t, err)
	}
	run(t, router)
	for query, handlers := range map[string]map[string]http.Handler{"": single, "stream=page": several} {
		site := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handlers[r.Header.Get("Role")].ServeHTTP(w, r)
		}))
		had := next(t, site.connect(t, query, ssestreamtest.WithHeader("Role", "admin")))
		assert.Contains(t, had.Data, "for admin")
		got := next(t, site.connect(t, query,
			ssestreamtest.WithHeader("Role", "public"), ssestreamtest.WithLastEventID(had.ID)))
		assert.Contains(t, got.Data, "for public")
		tag := site.do(t, http.MethodGet, query, "Role", "admin").header.Get("ETag")
		answer := site.do(t, http.MethodGet, query, "Role", "public", "If-None-Match", tag)
		assert.Contains(t, answer.body, "for public")
	}
}

// TestEventIDIsTheSameEverywhere: on another instance, and for a client of the same state, however it asks.
func TestEventIDIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]func(score) string{
		"by default": nil, "with a version": func(s score) string { return fmt.Sprint(s.N) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := settings{builder: func(b *ssestream.AdapterBuilder[changed, score]) { b.Version = version }}
			one, two := s.start(t, serve), s.start(t, serve)
			one.board.set("a", 1)
			two.board.set("a", 1)
			event := next(t, one.connect(t, "key=a"))
			assert.Regexp(t, `^[\w-]{16}$`, event.ID)
			assert.Equal(t, event, next(t, two.connect(t, "key=a")))
			assert.NotEqual(t, event.ID, next(t, one.connect(t, "key=b")).ID)
		})
	}
}

// themed is a marshaler whose events show more than the state.
type themed struct{ theme *atomic.Value }

func (m themed) Marshal(_ context.Context, state any) (watermillhttp.ServerSentEvent, error) {
	data, err := json.Marshal(map[string]any{"theme": m.theme.Load(), "state": state})

	return watermillhttp.ServerSentEvent{Event: "data", Data: data}, err
}

// TestAChangeThatOnlyTheEventShows is sent, to clients that are there and to those that come, whatever the version says.
func TestAChangeThatOnlyTheEventShows(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]func(score) string{
		"by default": nil, "with a version": func(s score) string { return fmt.Sprint(s.N) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var theme atomic.Value
			theme.Store("light")
			w := settings{
				config:  ssestream.RouterConfig{Marshaler: themed{&theme}},
				builder: func(b *ssestream.AdapterBuilder[changed, score]) { b.Version = version },
			}.start(t, serve)
			shown := func(e ssestreamtest.Event) (m struct{ Theme string }) {
				require.NoError(t, json.Unmarshal([]byte(e.Data), &m))

				return m
			}
			stream := w.connect(t, "key=a")
			had := next(t, stream)
			assert.Equal(t, "light", shown(had).Theme)
			theme.Store("dark")
			w.source.announce(t, "a")
			assert.Equal(t, "dark", shown(next(t, stream)).Theme)
			back := w.connect(t, "key=a", ssestreamtest.WithLastEventID(had.ID))
			assert.Equal(t, "dark", shown(next(t, back)).Theme)
		})
	}
}
