package ssestream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// statesOf returns the states of a plain answer by their streams, and the statuses of the problems.
func statesOf(tb testing.TB, a answer) (streams map[string]json.RawMessage, problems map[string]int) {
	tb.Helper()
	require.Equal(tb, http.StatusOK, a.status, a.body)
	var body struct {
		Streams  map[string]json.RawMessage
		Problems []struct {
			Stream string
			Status int
		}
	}
	require.NoError(tb, json.Unmarshal([]byte(a.body), &body))
	problems = map[string]int{}
	for _, p := range body.Problems {
		problems[p.Stream] = p.Status
	}

	return body.Streams, problems
}

// queryOf returns a query for n streams.
func queryOf(n int) string {
	var query strings.Builder
	for n := range n {
		fmt.Fprintf(&query, "&stream=score:%02d", n)
	}

	return query.String()
}

func TestStreamsAsJSONLoadSideBySide(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{LoadTimeout: time.Hour}, func(b bubble) {
		b.board.before(func(context.Context, string) error { <-time.After(10 * time.Second); return nil })
		start := time.Now()
		streams, problems := statesOf(b, b.do(b, http.MethodGet, queryOf(8)))
		assert.Equal(b, 10*time.Second, time.Since(start))
		assert.Len(b, streams, 8)
		assert.Empty(b, problems)
		assert.Zero(b, b.router.Stats().Rooms)
	})
}

// TestStreamsAsJSONShareLoads with each other and with streams, as when a crowd asks after an outage.
func TestStreamsAsJSONShareLoads(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		b.board.before(func(context.Context, string) error { <-time.After(100 * time.Millisecond); return nil })
		var crowd sync.WaitGroup
		for range 50 {
			crowd.Go(func() {
				streams, _ := statesOf(b, b.do(b, http.MethodGet, queryOf(ssestream.MaxStreams)))
				assert.Len(b, streams, ssestream.MaxStreams)
			})
			crowd.Go(func() { take(b.T, b.connect(queryOf(ssestream.MaxStreams)), ssestream.MaxStreams) })
		}
		crowd.Wait()
		assert.LessOrEqual(b, b.board.loaded("00"), 3)
	})
}

// TestStreamsAsJSONAreAsOfTheRequest although the room has a state that is older, and no message has come.
func TestStreamsAsJSONAreAsOfTheRequest(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		stream := b.connect("stream=score:a")
		take(b.T, stream, 1)
		b.board.set("a", 1)
		streams, _ := statesOf(b, b.do(b, http.MethodGet, "stream=score:a"))
		assert.JSONEq(b, `{"Key":"a","N":1}`, string(streams["score:a"]))
		assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":1}`}, take(b.T, stream, 1), "it profits")
	})
}

// TestStreamsAsJSONThatCannotBeLoaded are problems, in the time of one load.
func TestStreamsAsJSONThatCannotBeLoaded(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		b.board.before(func(ctx context.Context, key string) error {
			switch key {
			case "fails":
				return errStore
			case "hangs":
				<-ctx.Done()

				return ctx.Err()
			case "gone":
				return errGone
			default:
				return nil
			}
		})
		start := time.Now()
		streams, problems := statesOf(b, b.do(b, http.MethodGet,
			"stream=score:fails&stream=score:hangs&stream=score:gone&stream=score:a&stream=score:secret"))
		assert.LessOrEqual(b, time.Since(start), 11*time.Second)
		assert.Equal(b, map[string]json.RawMessage{"score:a": json.RawMessage(`{"Key":"a","N":0}`)}, streams)
		assert.Equal(b, map[string]int{"score:fails": 500, "score:gone": 404, "score:secret": 403},
			without(problems, "score:hangs"))
		assert.GreaterOrEqual(b, problems["score:hangs"], 500)
	})
}

func without(m map[string]int, key string) map[string]int {
	rest := map[string]int{}
	for k, v := range m {
		if k != key {
			rest[k] = v
		}
	}

	return rest
}

// TestStreamsAsJSONHaveNoLimits of streams, and take no place of one.
func TestStreamsAsJSONHaveNoLimits(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{MaxClientsPerKey: 1, MaxFrameBytes: 1000}, func(b bubble) {
		take(b.T, b.connect("stream=score:a"), 1)
		b.board.setText("b", strings.Repeat("x", 2000))
		streams, problems := statesOf(b, b.do(b, http.MethodGet, "stream=score:a&stream=score:b"))
		assert.JSONEq(b, `{"Key":"a","N":0}`, string(streams["score:a"]))
		assert.Greater(b, len(streams["score:b"]), 2000)
		assert.Empty(b, problems)

		loading, load := make(chan struct{}, 1), make(chan struct{})
		b.board.before(func(_ context.Context, key string) error {
			if key == "c" {
				select {
				case loading <- struct{}{}:
				default:
				}
				<-load
			}

			return nil
		})
		var asked sync.WaitGroup
		asked.Go(func() { statesOf(b, b.do(b, http.MethodGet, "stream=score:c")) })
		<-loading
		stream := b.connectLater("stream=score:c")
		close(load)
		assert.Contains(b, take(b.T, <-stream, 1), "score:c")
		asked.Wait()
	})
}

// TestStreamsAsJSONWithAMarshaler whose events have something else.
func TestStreamsAsJSONWithAMarshaler(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{Marshaler: upper{}}, func(b bubble) {
		streams, _ := statesOf(b, b.do(b, http.MethodGet, "stream=score:a&stream=sum"))
		assert.JSONEq(b, `{"Key":"a","N":0}`, string(streams["score:a"]))
		assert.JSONEq(b, `{"Sum":0}`, string(streams["sum"]))
	})
}

// TestCloseEndsPlainRequestsForStreams that wait for their loads.
func TestCloseEndsPlainRequestsForStreams(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		loading := make(chan struct{}, 1)
		b.board.before(func(ctx context.Context, _ string) error {
			loading <- struct{}{}
			<-ctx.Done()

			return ctx.Err()
		})
		var asked sync.WaitGroup
		var got answer
		asked.Go(func() { got = b.do(b, http.MethodGet, "stream=score:a") })
		<-loading
		start := time.Now()
		require.NoError(b, b.router.Close())
		asked.Wait()
		_, problems := statesOf(b, got)
		assert.Equal(b, map[string]int{"score:a": http.StatusServiceUnavailable}, problems)
		assert.Zero(b, time.Since(start))
	})
}
