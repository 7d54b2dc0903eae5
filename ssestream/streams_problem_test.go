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
		stream := b.connect("stream=score:a&stream=unknown&stream=score:&stream=score:secret&stream=x%0Ay&stream=error")
		problems := map[any]any{}
		for range 5 {
			p := problemOf(b, stream)
			problems[p["stream"]] = p["status"]
		}
		assert.Equal(b, map[any]any{"unknown": 404., "score:": 404., "score:secret": 403., "x\ny": 400., "error": 400.}, problems)
		assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":0}`}, take(b.T, stream, 1))
		b.board.set("a", 1)
		b.source.announce(b, "a", "secret")
		assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":1}`}, take(b.T, stream, 1))
		b.quiet(stream, time.Minute)
		assert.Zero(b, b.board.loaded("secret"))

		alone := b.connect("stream=unknown")
		assert.Equal(b, "unknown", problemOf(b, alone)["stream"])
		b.quiet(alone, time.Minute)
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
		statuses := map[any]any{}
		for range 2 {
			p := problemOf(b, stream)
			statuses[p["stream"]] = p["status"]
		}
		assert.Equal(b, map[any]any{"late:a": 503., "score:panic": 500.}, statuses)
		assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":0}`}, take(b.T, stream, 1))
	})
}
