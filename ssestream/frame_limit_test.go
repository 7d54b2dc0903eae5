package ssestream_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// smallFrame is the size of the event of a state without text.
const smallFrame = len("event: data\nid: 0123456789abcdef\ndata: {\"Key\":\"a\",\"N\":0}\n\n")

// TestAStateThatIsTooLarge is told to its clients and to the operator, once, and tried again until it is smaller.
func TestAStateThatIsTooLarge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		board, source, logger := newBoard(), newSource(), watermill.NewCaptureLogger()
		router, err := ssestream.NewRouter(ssestream.RouterConfig{
			UpstreamSubscriber: source, MaxFrameBytes: smallFrame, Resync: ssestream.Off,
			MinBackoff: time.Second, MaxBackoff: time.Second,
		}, logger)
		require.NoError(t, err)
		b := bubble{T: t, site: servePipes(t, router.AddHandler(topic, board.adapter(t)))}
		run(t, router)
		stream := b.connect("key=a")
		assert.Equal(t, 0, nextScore(t, stream).N, "a frame of just that size is sent")
		require.NoError(t, router.Check(t.Context()))

		board.setText("a", strings.Repeat("x", 100))
		board.set("a", 1)
		source.announce(t, "a")
		start := time.Now()
		tooLarge := map[string]any{
			"type": "about:blank", "title": "Internal Server Error", "status": 500.,
			"detail": "The state is too large to be sent. What is shown may be out of date.",
		}
		assert.Equal(t, tooLarge, problemOf(t, stream))
		assert.Zero(t, time.Since(start))
		b.quiet(stream, 10*time.Second)
		assert.Less(t, 10, board.loaded("a"), "it is tried again")
		assert.EqualValues(t, board.loaded("a")-1, router.Stats().LoadErrors)
		assert.EqualValues(t, 1, router.Stats().Stale)
		require.ErrorContains(t, router.Check(t.Context()), `"a" of score-changed`)
		require.Len(t, logger.Captured()[watermill.ErrorLogLevel], 1, "not for each try")
		logged := logger.Captured()[watermill.ErrorLogLevel][0]
		require.ErrorIs(t, logged.Err, ssestream.ErrFrameTooLarge)
		require.ErrorContains(t, logged.Err, "the state takes 168 bytes, MaxFrameBytes is 58")

		start = time.Now()
		late := b.connect("key=a") // It opens without a state.
		assert.Equal(t, tooLarge, problemOf(t, late))
		assert.LessOrEqual(t, time.Since(start), 10*time.Millisecond, "those who join share loads")
		b.quiet(late, 10*time.Second)
		plain := b.do(t, http.MethodGet, "key=a")
		assert.Equal(t, http.StatusOK, plain.status)
		assert.Contains(t, plain.body, "xxx", "plain requests have no such limit")

		board.setText("a", "")
		begin := time.Now()
		assert.Equal(t, score{Key: "a", N: 1}, nextScore(t, stream))
		assert.Equal(t, score{Key: "a", N: 1}, nextScore(t, late))
		assert.LessOrEqual(t, time.Since(begin), time.Second)
		require.NoError(t, router.Check(t.Context()))
		assert.Zero(t, router.Stats().Stale)
	})
}

// TestAPlainResponseThatIsTooLarge counts as one that cannot be encoded.
func TestAPlainResponseThatIsTooLarge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newSource()
		router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source, MaxFrameBytes: 100})
		site := servePipes(t, router.AddHandler(topic, funcAdapter{initial: always("hello"), next: payload}))
		run(t, router)
		stream := site.connect(t, "")
		next(t, stream)
		source.send(t, topic, []byte(strings.Repeat("x", 78)))
		assert.Len(t, next(t, stream).Data, 80)
		source.send(t, topic, []byte(strings.Repeat("x", 79)))
		event := next(t, stream)
		assert.Equal(t, "error", event.Type)
		assert.JSONEq(t, `{"error":"frame is too large: it takes 101 bytes, MaxFrameBytes is 100"}`, event.Data)
		source.send(t, topic, []byte("small"))
		assert.JSONEq(t, `"small"`, next(t, stream).Data)
		assert.Zero(t, router.Stats().Dropped)
	})
}
