package ssestream_test

import (
	"encoding/json"
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

// problemOf returns the next event, which has to be a problem.
func problemOf(tb testing.TB, stream *ssestreamtest.Stream) map[string]any {
	tb.Helper()
	event := next(tb, stream)
	require.Equal(tb, "problem", event.Type)
	var p map[string]any
	require.NoError(tb, json.Unmarshal([]byte(event.Data), &p))

	return p
}

func TestARefusedStreamDoesNotEndTheOthers(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		stream := b.connect("stream=score:a&stream=unknown&stream=score:&stream=x%0Ay&stream=error")
		problems := map[any]any{}
		for range 4 {
			p := problemOf(b, stream)
			problems[p["stream"]] = p["status"]
		}
		assert.Equal(b, map[any]any{"unknown": 404., "score:": 404., "x\ny": 400., "error": 400.}, problems)
		assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":0}`}, take(b.T, stream, 1))
		b.board.set("a", 1)
		b.source.announce(b, "a")
		assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":1}`}, take(b.T, stream, 1))
		b.quiet(stream, time.Hour)
	})
}

// badError is an error that cannot be described.
type badError struct{ panics bool }

func (badError) Error() string { return "a bad error" }

func (badError) HTTPStatus() int { return http.StatusNotFound }

func (e badError) ProblemErrors() any {
	if e.panics {
		panic("a bug")
	}

	return func() {}
}

// TestAnErrorThatCannotBeDescribed is the problem of one stream, and nobody else's: a client is told of it on a goroutine that
// writes to many.
func TestAnErrorThatCannotBeDescribed(t *testing.T) {
	t.Parallel()
	for _, bad := range []badError{{panics: false}, {panics: true}} {
		inStreamsBubble(t, ssestream.RouterConfig{}, func(b bubble) {
			stream := b.connect("stream=score:a&stream=score:b")
			take(b.T, stream, 2)
			b.board.before(failing(bad))
			b.source.announce(b, "a")
			p := problemOf(b, stream)
			assert.Equal(b, "score:a", p["stream"])
			assert.InDelta(b, 500, p["status"], 0)
			b.board.before(nil)
			b.board.set("b", 1)
			b.source.announce(b, "b")
			assert.Equal(b, map[string]string{"score:b": `{"Key":"b","N":1}`}, take(b.T, stream, 1))
		})
	}
}

// TestAStreamThatIsRefusedToTheClient is asked for again with the next connection, in case that the client has logged in.
func TestAStreamThatIsRefusedToTheClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		board, loggedIn := newBoard(), false
		builder := board.builder()
		builder.RequestKey = func(r *http.Request) (string, error) { return r.PathValue("key"), nil }
		builder.Authorize = func(_ *http.Request, key string) error {
			if key == "secret" && !loggedIn {
				return &ssestream.StatusError{Status: http.StatusUnauthorized, Err: errors.New("log in")}
			}

			return nil
		}
		adapter, err := builder.Build()
		require.NoError(t, err)
		router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
		h, err := router.AddStreamsHandler(ssestream.Stream{Pattern: "score:{key}", Topics: []string{topic}, Adapter: adapter})
		require.NoError(t, err)
		b := bubble{T: t, board: board, router: router, site: servePipes(t, h)}
		run(t, router)

		stream := b.connect("stream=score:a&stream=score:secret")
		assert.InDelta(b, 401, problemOf(b, stream)["status"], 0)
		take(b.T, stream, 1)
		assert.Zero(b, board.loaded("secret"))
		start := time.Now()
		ended(b, stream)
		assert.InDelta(b, 5*time.Minute, time.Since(start), float64(75*time.Second))
		loggedIn = true
		again := b.connect("stream=score:a&stream=score:secret", ssestreamtest.WithLastEventID(stream.LastEventID()))
		assert.Equal(b, map[string]string{"score:secret": `{"Key":"secret","N":0}`}, take(b.T, again, 1))
		b.quiet(again, time.Hour)
	})
}

// TestAConnectionWithoutStreams is answered with the status: it would have nothing to wait for.
func TestAConnectionWithoutStreams(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{MaxClients: 1}, func(b bubble) {
		refused := func(query string, status int) {
			b.Helper()
			answer := b.do(b, http.MethodGet, query, "Accept", "text/event-stream")
			assert.Equal(b, status, answer.status)
			assert.Equal(b, "application/problem+json", answer.header.Get("Content-Type"))
		}
		refused("stream=unknown", http.StatusNotFound)
		refused("stream=unknown&stream=score:secret", http.StatusForbidden) // The first by name decides.
		assert.Zero(b, b.router.Stats().Clients)

		b.board.before(failing(errGone))
		stream := b.connect("stream=score:a&stream=unknown")
		assert.Equal(b, "unknown", problemOf(b, stream)["stream"])
		assert.Equal(b, "score:a", problemOf(b, stream)["stream"])
		b.quiet(stream, time.Hour)
		b.board.before(nil)
		b.source.announce(b, "a")
		assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":0}`}, take(b.T, stream, 1), "it waits for a state to come")
		assert.Zero(b, b.router.Stats().Refused)
	})
}

// TestAStreamThatIsPutOff: a reconnect tries it again and resumes the others.
func TestAStreamThatIsPutOff(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{MaxClientsPerKey: 1}, func(b bubble) {
		first := b.connect("stream=score:a")
		take(b.T, first, 1)
		second := b.connect("stream=score:a&stream=sum")
		assert.InDelta(b, 503, problemOf(b, second)["status"], 0)
		take(b.T, second, 1)
		require.NoError(b, first.Close())
		start := time.Now()
		ended(b, second)
		assert.InDelta(b, 15*time.Second, time.Since(start), float64(4*time.Second))
		again := b.connect("stream=score:a&stream=sum", ssestreamtest.WithLastEventID(second.LastEventID()))
		assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":0}`}, take(b.T, again, 1))
		b.quiet(again, time.Minute)
	})
}

// TestAStreamThatIsPutOffIsSentAnew also to a client that had its state before the problem.
func TestAStreamThatIsPutOffIsSentAnew(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{MaxClientsPerKey: 1}, func(b bubble) {
		before := b.connect("stream=score:a&stream=sum")
		take(b.T, before, 2)
		require.NoError(b, before.Close())
		synctest.Wait()
		other := b.connect("stream=score:a")
		take(b.T, other, 1)

		putOff := b.connect("stream=score:a&stream=sum", ssestreamtest.WithLastEventID(before.LastEventID()))
		assert.Equal(b, "score:a", problemOf(b, putOff)["stream"])
		require.NoError(b, other.Close())
		ended(b, putOff)
		again := b.connect("stream=score:a&stream=sum", ssestreamtest.WithLastEventID(putOff.LastEventID()))
		assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":0}`}, take(b.T, again, 1), "the sum it has still")
		b.quiet(again, time.Minute)
	})
}

// TestOneStreamThatFailsToBegin neither delays nor ends the others.
func TestOneStreamThatFailsToBegin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bubble{T: t, board: newBoard(), source: newSource()}
		b.router = newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: b.source})
		builder := b.board.builder()
		builder.RequestKey = func(r *http.Request) (string, error) {
			if key := r.PathValue("key"); key != "panic" {
				return key, nil
			}
			panic("boom")
		}
		adapter, err := builder.Build()
		require.NoError(t, err)
		b.router.AddHandler(topic, adapter)
		run(t, b.router)
		b.source.fail(errors.New("no such topic yet"))
		h, err := b.router.AddStreamsHandler(
			ssestream.Stream{Pattern: "score:{key}", Topics: []string{topic}, Adapter: adapter},
			ssestream.Stream{Pattern: "late:{key}", Topics: []string{"another"}, Adapter: adapter},
		)
		require.NoError(t, err)
		b.site = servePipes(t, h)

		stream := b.connect("stream=score:a&stream=late:a&stream=score:panic")
		p := problemOf(b, stream)
		assert.Equal(b, []any{"score:panic", 500.}, []any{p["stream"], p["status"]})
		states := map[string]string{"score:a": `{"Key":"a","N":0}`, "late:a": `{"Key":"a","N":0}`}
		assert.Equal(b, states, take(b.T, stream, 2), "a topic that cannot be subscribed to keeps no state back")
	})
}
