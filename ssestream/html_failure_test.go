package ssestream_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// twoForms is a router that serves states as JSON and as HTML.
type twoForms struct {
	bubble
	board  *board
	source *source
	router *ssestream.Router
	logger *watermill.CaptureLoggerAdapter
	html   bubble
}

// inTwoForms runs f in a bubble. Nothing but messages, clients and failures has states loaded.
func inTwoForms(t *testing.T, render func(context.Context, io.Writer, score) error, f func(w twoForms)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := twoForms{board: newBoard(), source: newSource(), logger: watermill.NewCaptureLogger()}
		router, err := ssestream.NewRouter(ssestream.RouterConfig{
			UpstreamSubscriber: w.source, MaxFrameBytes: 200, Resync: ssestream.Off,
			MinBackoff: time.Second, MaxBackoff: time.Second,
		}, w.logger)
		require.NoError(t, err)
		builder := w.board.builder()
		builder.Render = render
		adapter, err := builder.Build()
		require.NoError(t, err)
		w.router = router
		w.bubble = bubble{T: t, site: servePipes(t, router.AddHandler(topic, adapter))}
		w.html = bubble{T: t, site: servePipes(t, router.AddHandler(topic, adapter.HTML(nil)))}
		run(t, router)
		f(w)
	})
}

// TestAFormThatNobodyFollows is not made, so it cannot fail.
func TestAFormThatNobodyFollows(t *testing.T) {
	t.Parallel()
	var rendered atomic.Int64
	inTwoForms(t, func(context.Context, io.Writer, score) error {
		rendered.Add(1)

		return errors.New("no template")
	}, func(w twoForms) {
		stream := w.connect("key=a")
		assert.Equal(w, 0, nextScore(w, stream).N)
		html := w.html.connect("key=a")
		assert.InDelta(w, 503., problemOf(w.T, html)["status"], 0)
		assert.NotZero(w, rendered.Load())
		require.NoError(w, html.Close())
		synctest.Wait()
		before := rendered.Load()
		for n := range 3 {
			w.board.set("a", n+1)
			w.source.announce(w, "a")
			assert.Equal(w, n+1, nextScore(w, stream).N)
		}
		assert.Equal(w, before, rendered.Load(), "who followed the HTML has left")
		require.NoError(w, w.router.Check(w.Context()))
		assert.Zero(w, w.router.Stats().Stale)
		w.quiet(stream, time.Minute)
	})
}

// TestAFormThatFails is told to those who follow it. The others go on, without delay. It is tried again until it is there.
func TestAFormThatFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fail   func(w io.Writer) error
		status float64
	}{
		"by an error": {func(io.Writer) error { return errors.New("no template") }, 503},
		"by a panic":  {func(io.Writer) error { panic("no template") }, 503},
		"by its size": {func(w io.Writer) error {
			_, err := io.WriteString(w, strings.Repeat("<p>", 100))

			return err
		}, 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var broken atomic.Bool
			broken.Store(true)
			inTwoForms(t, func(ctx context.Context, w io.Writer, s score) error {
				if broken.Load() {
					return test.fail(w)
				}

				return card(ctx, w, s)
			}, func(w twoForms) {
				stream, html := w.connect("key=a"), w.html.connect("key=a")
				assert.Equal(w, 0, nextScore(w, stream).N)
				assert.InDelta(w, test.status, problemOf(w.T, html)["status"], 0)
				for n := range 3 {
					start := time.Now()
					w.board.set("a", n+1)
					w.source.announce(w, "a")
					assert.Equal(w, n+1, nextScore(w, stream).N)
					late := w.connect("key=a")
					assert.Equal(w, n+1, nextScore(w, late).N)
					require.NoError(w, late.Close())
					assert.Less(w, time.Since(start), 100*time.Millisecond)
				}
				w.quiet(html, time.Minute)
				w.quiet(stream, time.Minute)
				assert.Less(w, 100, w.board.loaded("a"), "it is tried again")
				require.ErrorContains(w, w.router.Check(w.Context()), `"a" of score-changed`)
				assert.EqualValues(w, 1, w.router.Stats().Stale)
				assert.Len(w, w.logger.Captured()[watermill.ErrorLogLevel], 1, "not for each try")

				broken.Store(false)
				assert.Contains(w, next(w, html).Data, "3")
				synctest.Wait()
				require.NoError(w, w.router.Check(w.Context()))
				assert.Zero(w, w.router.Stats().Stale)
				loads := w.board.loaded("a")
				w.quiet(stream, time.Minute)
				assert.Equal(w, loads, w.board.loaded("a"), "and then not any more")
				broken.Store(true)
				w.board.set("a", 4)
				w.source.announce(w, "a")
				assert.Equal(w, 4, nextScore(w, stream).N)
				assert.InDelta(w, test.status, problemOf(w.T, html)["status"], 0)
			})
		})
	}
}
