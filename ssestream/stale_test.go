package ssestream_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestClientsAreToldThatTheirStateIsStale within twice LoadTimeout, whatever keeps it from being loaded, and are sent it
// when it is loaded again, also if it is the one of before.
func TestClientsAreToldThatTheirStateIsStale(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]func(ctx context.Context, gate chan struct{}) error{
		"failing":    func(context.Context, chan struct{}) error { return errStore },
		"timing out": func(ctx context.Context, _ chan struct{}) error { return takes(ctx, time.Hour) },
		"hung":       func(_ context.Context, gate chan struct{}) error { <-gate; return errStore },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, settings{}, func(b bubble) {
				gate := make(chan struct{})
				stream := b.connect("key=bad")
				nextScore(b, stream)
				b.badKeys(func(ctx context.Context) error { return bad(ctx, gate) })
				start := time.Now()
				b.source.announce(b, "bad")
				stale := map[string]any{
					"type": "about:blank", "title": "Service Unavailable", "status": 503.,
					"detail": "The state cannot be loaded at present. What is shown may be out of date.",
				}
				assert.Equal(b, stale, problemOf(b, stream))
				assert.LessOrEqual(b, time.Since(start), 20*time.Second)
				assert.EqualValues(b, 1, b.router.Stats().Stale)
				require.ErrorContains(b, b.router.Check(b.Context()), `"bad" of score-changed`)
				for key := range b.router.Keys() {
					require.Error(b, key.Stale)
				}

				start = time.Now()
				late := b.connect("key=bad")
				assert.Equal(b, stale, problemOf(b, late))
				assert.Zero(b, time.Since(start), "a client that comes is told at once")
				b.quiet(stream, time.Minute)

				b.board.before(nil)
				close(gate)
				assert.Equal(b, 0, nextScore(b, stream).N)
				assert.Equal(b, 0, nextScore(b, late).N)
				assert.Zero(b, b.router.Stats().Stale)
				b.quiet(stream, time.Minute)
			})
		})
	}
}

// TestAStaleStateThatWaitsForSlots of others is told of as well.
func TestAStaleStateThatWaitsForSlots(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		b.badKeys(func(ctx context.Context) error { return takes(ctx, 5*time.Second) })
		for i := range 100 {
			discard(b, b.connectLater("key=bad"+strconv.Itoa(i)))
		}
		settle(10 * time.Minute)
		assert.Zero(b, b.router.Stats().Stale)
		b.source.send(b, topic, []byte("{")) // about any key
		settle(20 * time.Second)
		assert.Greater(b, b.router.Stats().Stale, int64(20))
		settle(10 * time.Minute)
		assert.Zero(b, b.router.Stats().Stale)
	})
}

// TestAStaleStateThatNobodyFollows is not counted.
func TestAStaleStateThatNobodyFollows(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		b.board.before(failing(errStore))
		stream := b.connect("key=a")
		problemOf(b, stream)
		require.NoError(b, stream.Close())
		synctest.Wait()
		assert.Zero(b, b.router.Stats().Stale)
		require.NoError(b, b.router.Check(b.Context()))
	})
}

// TestOneOfSeveralStreamsIsStale. The others go on, and a client that reconnects is sent the state that it had.
func TestOneOfSeveralStreamsIsStale(t *testing.T) {
	t.Parallel()
	inStreamsBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		stream := b.connect("stream=score:a&stream=score:b")
		take(b.T, stream, 2)
		b.board.before(func(_ context.Context, key string) error {
			if key == "a" {
				return errStore
			}

			return nil
		})
		b.source.announce(b, "a")
		p := problemOf(b, stream)
		assert.Equal(b, "score:a", p["stream"])
		assert.InDelta(b, 503, p["status"], 0)
		b.board.set("b", 1)
		b.source.announce(b, "b")
		assert.Equal(b, map[string]string{"score:b": `{"Key":"b","N":1}`}, take(b.T, stream, 1))

		b.board.before(nil)
		assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":0}`}, take(b.T, stream, 1))
		again := b.connect("stream=score:a&stream=score:b", ssestreamtest.WithLastEventID(stream.LastEventID()))
		b.quiet(again, time.Minute)
	})
}

// TestAReconnectWhileTheStateIsStale does not take the client for one that shows it: it shows the problem.
func TestAReconnectWhileTheStateIsStale(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		stream := b.connect("key=a")
		nextScore(b, stream)
		had := stream.LastEventID()
		b.board.before(failing(errStore))
		b.source.announce(b, "a")
		problemOf(b, stream)
		assert.NotEmpty(b, had)
		assert.Empty(b, stream.LastEventID())
		b.board.before(nil)
		again := b.connect("key=a", ssestreamtest.WithLastEventID(stream.LastEventID()))
		event := next(b, again)
		for event.Type == "problem" { // It may come before the next try.
			event = next(b, again)
		}
		assert.Equal(b, 0, scoreOf(b, event).N)
	})
}
