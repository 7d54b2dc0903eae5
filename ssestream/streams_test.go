package ssestream_test

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// list is the state of a stream without a wildcard: the sum of all scores.
type list struct{ Sum int }

// streamsOf serves the board's scores as "score:{key}" and their sum as "sum". Keys that begin with "secret" are
// refused.
func streamsOf(tb testing.TB, router *ssestream.Router, board *board) http.HandlerFunc {
	tb.Helper()
	scores := board.builder()
	scores.RequestKey = func(r *http.Request) (string, error) { return r.PathValue("key"), nil }
	scores.Authorize = func(_ *http.Request, key string) error {
		if strings.HasPrefix(key, "secret") {
			return errors.New("not yours")
		}

		return nil
	}

	return streamsWith(tb, router, board, scores)
}

// streamsWith serves scores of that builder, and the sum.
func streamsWith(
	tb testing.TB, router *ssestream.Router, board *board, scores ssestream.AdapterBuilder[changed, score],
) http.HandlerFunc {
	tb.Helper()
	score, err := scores.Build()
	require.NoError(tb, err)
	sum, err := ssestream.AdapterBuilder[changed, list]{
		RequestKey: func(*http.Request) (string, error) { return "sum", nil },
		EventKeys:  func(changed) []string { return []string{"sum"} },
		Load:       board.sum,
	}.Build()
	require.NoError(tb, err)
	h, err := router.AddStreamsHandler(
		ssestream.Stream{Pattern: "score:{key}", Topics: []string{topic}, Adapter: score},
		ssestream.Stream{Pattern: "sum", Topics: []string{topic}, Adapter: sum},
	)
	require.NoError(tb, err)

	return h
}

// inStreamsBubble runs f with a running router that serves streamsOf.
func inStreamsBubble(t *testing.T, config ssestream.RouterConfig, f func(b bubble)) {
	t.Helper()
	inBubbleOf(t, config, func(router *ssestream.Router, board *board) http.Handler { return streamsOf(t, router, board) }, f)
}

// inBubbleOf runs f with a running router of that configuration and handler.
func inBubbleOf(
	t *testing.T, config ssestream.RouterConfig, handler func(*ssestream.Router, *board) http.Handler, f func(b bubble),
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := bubble{T: t, board: newBoard(), source: newSource()}
		config.UpstreamSubscriber = b.source
		b.router = newRouter(t, config)
		b.site = servePipes(t, handler(b.router, b.board))
		run(t, b.router)
		f(b)
	})
}

// take returns the data of the next n events by their names.
func take(tb testing.TB, stream *ssestreamtest.Stream, n int) map[string]string {
	tb.Helper()
	events := map[string]string{}
	for range n {
		event := next(tb, stream)
		require.NotContains(tb, events, event.Type)
		events[event.Type] = event.Data
	}

	return events
}

func TestSeveralStreamsOnOneConnection(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		stream := b.connect("stream=sum&stream=score:a&stream=score:b&stream=score:a")
		assert.Equal(b, map[string]string{
			"sum": `{"Sum":0}`, "score:a": `{"Key":"a","N":0}`, "score:b": `{"Key":"b","N":0}`,
		}, take(b.T, stream, 3))
		b.board.set("a", 1)
		b.source.announce(b, "a")
		assert.Equal(b, map[string]string{"sum": `{"Sum":1}`, "score:a": `{"Key":"a","N":1}`}, take(b.T, stream, 2))
		b.quiet(stream, time.Minute)
		assert.Positive(b, stream.Comments())

		stats := b.router.Stats()
		assert.EqualValues(b, 1, stats.Clients)
		assert.EqualValues(b, 3, stats.Rooms)
		require.NoError(b, stream.Close())
		synctest.Wait()
		assert.Zero(b, b.router.Stats().Rooms)
	})
}

// TestSeveralStreamsResume by the one event ID, on any instance and for other streams than before.
func TestSeveralStreamsResume(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		before := b.connect("stream=sum&stream=score:a&stream=score:b")
		take(b.T, before, 3)
		id := before.LastEventID()
		assert.LessOrEqual(b, len(id), 128)
		b.board.set("b", 1)
		other := newRouter(b, ssestream.RouterConfig{UpstreamSubscriber: b.source})
		elsewhere := bubble{T: b.T, site: servePipes(b, streamsOf(b, other, b.board))}
		run(b, other)

		for name, connect := range map[string]func(query string) *ssestreamtest.Stream{
			"by the header": func(query string) *ssestreamtest.Stream {
				return elsewhere.connect(query, ssestreamtest.WithLastEventID(id))
			},
			"by the query": func(query string) *ssestreamtest.Stream {
				return elsewhere.connect(query + "&lastEventId=" + url.QueryEscape(id))
			},
		} {
			same := connect("stream=score:a&stream=score:b")
			assert.Equal(b, map[string]string{"score:b": `{"Key":"b","N":1}`}, take(b.T, same, 1), name)
			elsewhere.quiet(same, time.Minute)
			more := connect("stream=score:a&stream=score:c")
			assert.Equal(b, map[string]string{"score:c": `{"Key":"c","N":0}`}, take(b.T, more, 1), name)
			elsewhere.quiet(more, time.Minute)
		}
	})
}

// TestAnIDThatLackedAState is completed by a block without data, when the client is found to have a state after another
// one was sent.
func TestAnIDThatLackedAState(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		before := b.connect("stream=sum")
		take(b.T, before, 1)
		b.board.sums(func() { <-time.After(10 * time.Second) })
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.url+"/?stream=sum&stream=score:a", http.NoBody)
		require.NoError(b, err)
		r.Header.Set("Accept", "text/event-stream")
		r.Header.Set("Last-Event-ID", before.LastEventID())
		response, err := b.client.Do(r)
		require.NoError(b, err)
		defer response.Body.Close()
		var ids []string
		for body := bufio.NewReader(response.Body); len(ids) < 2; {
			if id, ok := strings.CutPrefix(strings.TrimSpace(line(b, body)), "id: "); ok {
				ids = append(ids, id)
			}
		}
		assert.Equal(b, ids[0]+strings.TrimPrefix(before.LastEventID(), "q")[:len(ids[0])-1], ids[1])
		b.quiet(b.connect("stream=sum&stream=score:a", ssestreamtest.WithLastEventID(ids[1])), time.Minute)
	})
}

// TestEveryNumberOfStreamsResumes with an ID that needs no preflight.
func TestEveryNumberOfStreamsResumes(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		query := "stream=sum"
		for n := 1; n <= ssestream.MaxStreams; n++ {
			stream := b.connect(query)
			take(b.T, stream, n)
			assert.LessOrEqual(b, len(stream.LastEventID()), 128)
			again := b.connect(query, ssestreamtest.WithLastEventID(stream.LastEventID()))
			b.quiet(again, time.Minute)
			require.NoError(b, stream.Close())
			require.NoError(b, again.Close())
			query += fmt.Sprintf("&stream=score:%d", n)
		}
		assertProblem(b.T, http.StatusBadRequest, "the query has to name 1 to 16 streams",
			b.do(b, http.MethodGet, query, "Accept", "text/event-stream"))
		assertProblem(b.T, http.StatusBadRequest, "the query has to name 1 to 16 streams",
			b.do(b, http.MethodGet, "", "Accept", "text/event-stream"))
	})
}

// TestAStateThatGoesAndComesBack is told once, and its stream goes on.
func TestAStateThatGoesAndComesBack(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{Resync: 10 * time.Second}, func(b bubble) {
		stream := b.connect("stream=score:a&stream=sum")
		take(b.T, stream, 2)
		had := stream.LastEventID()

		b.board.before(failing(errGone))
		b.source.announce(b, "a")
		p := problemOf(b, stream)
		assert.Equal(b, map[string]any{
			"stream": "score:a", "type": "about:blank", "title": "Not Found", "status": 404., "detail": "no such score",
		}, p)
		b.quiet(stream, time.Minute) // loaded again meanwhile, and told once
		gone := stream.LastEventID()

		// A client that reconnects with the state that is gone gets the problem, and the state when it exists again.
		back := b.connect("stream=score:a&stream=sum", ssestreamtest.WithLastEventID(had))
		assert.Equal(b, "score:a", problemOf(b, back)["stream"])
		b.quiet(back, time.Minute)

		// A store that fails changes nothing: the state is still gone.
		b.board.before(failing(errStore))
		b.source.announce(b, "a")
		b.quiet(stream, time.Minute)

		b.board.before(nil)
		for _, told := range []*ssestreamtest.Stream{stream, back} {
			assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":0}`}, take(b.T, told, 1))
		}
		b.quiet(stream, time.Minute)

		// The state is the one of before: clients that got the problem get it, clients that have it do not.
		assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":0}`},
			take(b.T, b.connect("stream=score:a&stream=sum", ssestreamtest.WithLastEventID(gone)), 1))
		b.quiet(b.connect("stream=score:a&stream=sum", ssestreamtest.WithLastEventID(had)), time.Minute)
	})
}

func TestASlowStreamDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{LoadTimeout: time.Hour}, func(b bubble) {
		b.board.sums(func() { <-time.After(10 * time.Second) })
		start := time.Now()
		stream := b.connect("stream=score:a&stream=sum")
		assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":0}`}, take(b.T, stream, 1))
		assert.Zero(b, time.Since(start))
		take(b.T, stream, 1)
		assert.Equal(b, 10*time.Second, time.Since(start))
	})
}

// TestStreamsAsJSON is what a plain request gets.
func TestStreamsAsJSON(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		response := b.do(b, http.MethodGet, "stream=score:a&stream=unknown&stream=sum")
		assert.Equal(b, http.StatusOK, response.status)
		assert.Equal(b, "application/json", response.header.Get("Content-Type"))
		assert.JSONEq(b, `{
			"streams": {"score:a": {"Key":"a","N":0}, "sum": {"Sum":0}},
			"problems": [{"stream":"unknown","type":"about:blank","title":"Not Found","status":404,
				"detail":"there is no such stream"}]
		}`, response.body)
		assertProblem(b.T, http.StatusBadRequest, "the query has to name 1 to 16 streams", b.do(b, http.MethodGet, ""))
	})
}

// TestRoomsAreShared by the handlers of one adapter.
func TestRoomsAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		board, source := newBoard(), newSource()
		router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
		builder := board.builder()
		builder.RequestKey = func(*http.Request) (string, error) { return "a", nil }
		adapter, err := builder.Build()
		require.NoError(t, err)
		streams, err := router.AddStreamsHandler(ssestream.Stream{
			Pattern: "score:{key}", Topics: []string{topic}, Adapter: adapter,
		})
		require.NoError(t, err)
		mux := http.NewServeMux()
		mux.Handle("/scores/{$}", router.AddHandler(topic, adapter))
		mux.Handle("/", streams)
		one, several := bubble{T: t, site: servePipes(t, mux)}, bubble{T: t, site: servePipes(t, mux)}
		one.url += "/scores"
		run(t, router)
		a, b := one.connect(""), several.connect("stream=score:a")
		nextScore(t, a)
		take(t, b, 1)
		loads := board.loaded("a")
		board.set("a", 1)
		source.announce(t, "a")
		assert.Equal(t, 1, nextScore(t, a).N)
		assert.JSONEq(t, `{"Key":"a","N":1}`, take(t, b, 1)["score:a"])
		assert.Equal(t, loads+1, board.loaded("a"))
		assert.EqualValues(t, 1, router.Stats().Rooms)
	})
}

func TestAddStreamsHandlerNamesEveryProblem(t *testing.T) {
	t.Parallel()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
	adapter := newBoard().adapter(t)
	topics := []string{topic}
	_, err := router.AddStreamsHandler(
		ssestream.Stream{Pattern: "fine", Topics: topics, Adapter: adapter},
		ssestream.Stream{Pattern: "fine", Topics: topics, Adapter: adapter},
		ssestream.Stream{Pattern: "", Topics: topics, Adapter: adapter},
		ssestream.Stream{Pattern: "no topics", Adapter: adapter},
		ssestream.Stream{Pattern: "error", Topics: topics, Adapter: adapter},
		ssestream.Stream{Pattern: "problem", Topics: topics, Adapter: adapter},
		ssestream.Stream{Pattern: "heartbeat", Topics: topics, Adapter: adapter},
		ssestream.Stream{Pattern: "message", Topics: topics, Adapter: adapter},
		ssestream.Stream{Pattern: "{all}", Topics: topics, Adapter: adapter},
		ssestream.Stream{Pattern: "in {the} middle", Topics: topics, Adapter: adapter},
		ssestream.Stream{Pattern: "a\nb", Topics: topics, Adapter: adapter},
		ssestream.Stream{Pattern: "embedded", Topics: topics, Adapter: embedding{adapter}},
		ssestream.Stream{Pattern: "none", Topics: topics},
	)
	for _, pattern := range []string{
		"fine", "", "no topics", "error", "problem", "heartbeat", "message", "{all}", "in {the} middle", "a\nb", "embedded", "none",
	} {
		require.ErrorContains(t, err, fmt.Sprintf("stream %q: ", pattern))
	}
	require.ErrorContains(t, err, "a wildcard needs text before it")
	_, err = router.AddStreamsHandler()
	require.Error(t, err)
}

type embedding struct {
	*ssestream.Adapter[changed, score]
}
