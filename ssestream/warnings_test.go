package ssestream_test

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// inLoggedBubble runs f with a router that does not run yet. Logged returns the texts of the errors that were logged.
func inLoggedBubble(t *testing.T, config ssestream.RouterConfig, f func(b bubble, logged func() []string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, logger := bubble{T: t, board: newBoard(), source: newSource()}, &errorLog{}
		config.UpstreamSubscriber = b.source
		var err error
		b.router, err = ssestream.NewRouter(config, logger)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, b.router.Close()) })
		b.site = servePipes(t, b.router.AddHandler(topic, b.board.adapter(t)))
		f(b, logger.all)
	})
}

// errorLog keeps the texts of errors.
type errorLog struct {
	watermill.NopLogger

	mu    sync.Mutex
	texts []string
}

func (l *errorLog) Error(text string, _ error, _ watermill.LogFields) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.texts = append(l.texts, text)
}

func (l *errorLog) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()

	return slices.Clone(l.texts)
}

func TestAStreamThatWaitsForRunIsExplained(t *testing.T) {
	t.Parallel()
	inLoggedBubble(t, ssestream.RouterConfig{Resync: ssestream.Off}, func(b bubble, logged func() []string) {
		streams := b.connectLater("key=a")
		settle(4 * time.Second)
		assert.Empty(b, logged())
		settle(2 * time.Second)
		b.connectLater("key=a")
		settle(6 * time.Second)
		assert.Equal(b, []string{"Streams see no changes before Router.Run"}, logged(), "once")
		run(b, b.router)
		nextScore(b, <-streams)
	})
}

func TestARunThatComesIsNotMissed(t *testing.T) {
	t.Parallel()
	inLoggedBubble(t, ssestream.RouterConfig{Resync: ssestream.Off}, func(b bubble, logged func() []string) {
		streams := b.connectLater("key=a")
		settle(time.Second)
		run(b, b.router)
		nextScore(b, <-streams)
		settle(time.Minute)
		assert.Empty(b, logged())
	})
}

func TestATopicWithoutMessagesIsExplained(t *testing.T) {
	t.Parallel()
	inLoggedBubble(t, ssestream.RouterConfig{Resync: 30 * time.Second}, func(b bubble, logged func() []string) {
		run(b, b.router)
		stream := b.connect("key=a")
		nextScore(b, stream)
		for n := 1; n <= 2; n++ {
			b.board.set("a", n)
			assert.Equal(b, n, nextScore(b, stream).N)
		}
		settle(time.Hour)
		assert.Empty(b, logged(), "the state has not changed")
		for n := 3; n <= 10; n++ {
			b.board.set("a", n)
			assert.Equal(b, n, nextScore(b, stream).N)
		}
		assert.Equal(b, []string{"States change without a message"}, logged(), "once")
	})
}

func TestATopicWithMessagesNeedsNoExplanation(t *testing.T) {
	t.Parallel()
	inLoggedBubble(t, ssestream.RouterConfig{Resync: 30 * time.Second}, func(b bubble, logged func() []string) {
		run(b, b.router)
		b.source.announce(b, "of a key that nobody follows")
		stream := b.connect("key=a")
		nextScore(b, stream)
		for n := 1; n <= 10; n++ {
			b.board.set("a", n)
			assert.Equal(b, n, nextScore(b, stream).N)
		}
		assert.Empty(b, logged())
	})
}

// TestChangesWhileTheBrokerIsAway need no explanation: their messages could not come. A misspelt topic is explained later.
func TestChangesWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(b bubble){
		"from the beginning": func(b bubble) {
			run(b, b.router)
			b.source.fail(errStore)
		},
		"for a while": func(b bubble) {
			run(b, b.router)
			settle(time.Hour)
			b.source.fail(errStore)
			b.source.interrupt()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const resync = 30 * time.Second
			inLoggedBubble(t, ssestream.RouterConfig{Resync: resync}, func(b bubble, logged func() []string) {
				begin(b)
				b.site = servePipes(b, b.router.AddHandler("another", b.board.adapter(b)))
				explained := func() bool { return slices.Contains(logged(), "States change without a message") }
				var streams []*ssestreamtest.Stream
				for i := range 10 {
					streams = append(streams, b.connect("key="+strconv.Itoa(i)))
					nextScore(b, streams[i])
				}
				change := func(n int) {
					for i, stream := range streams {
						b.board.set(strconv.Itoa(i), n)
						assert.Equal(b, n, nextScore(b, stream).N)
					}
				}
				change(1) // is found by resyncs
				for i := range streams {
					b.board.set(strconv.Itoa(i), 2)
				}
				b.source.fail(nil)
				for _, stream := range streams {
					assert.Equal(b, 2, nextScore(b, stream).N)
				}
				assert.False(b, explained())
				settle(resync * 2)
				change(3)
				assert.True(b, explained())
			})
		})
	}
}

// flushing is a writer of middleware that can flush and has no Unwrap.
type flushing struct {
	http.ResponseWriter
	http.Flusher
}

func TestAWriterWithoutDeadlinesIsExplained(t *testing.T) {
	t.Parallel()
	inLoggedBubble(t, ssestream.RouterConfig{Resync: ssestream.Off}, func(b bubble, logged func() []string) {
		h := b.router.AddHandler(topic, b.board.adapter(b))
		b.site = servePipes(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			flusher, ok := w.(http.Flusher)
			assert.True(b, ok)
			h(flushing{w, flusher}, r)
		}))
		run(b, b.router)
		assert.Equal(b, http.StatusOK, b.do(b, http.MethodGet, "key=a").status)
		assert.Empty(b, logged(), "it is no stream")
		for range 2 {
			nextScore(b, b.connect("key=a"))
		}
		assert.Equal(b, []string{"Writes to streams have no deadline"}, logged(), "once")
	})
}
