package ssestream_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

func compress(b *ssestream.AdapterBuilder[changed, score]) { b.Compress = true }

// cost returns what f has written to each of n clients, in bytes.
func cost(w world, n int, f func()) int {
	before := w.router.Stats().Bytes
	f()

	return int(w.router.Stats().Bytes-before) / n
}

// TestClientsInStep share what a change is compressed to.
func TestClientsInStep(t *testing.T) {
	t.Parallel()
	onEachServer(t, settings{builder: compress}, func(t *testing.T, w world) {
		t.Helper()
		text := bulk(20 << 10)
		w.board.setText("a", text)
		var clients []*ssestreamtest.Stream
		join := func() {
			frames := w.router.Stats().Frames
			clients = append(clients, w.connect(t, "key=a"))
			assert.Equal(t, text, nextScore(t, clients[len(clients)-1]).Text)
			eventually(t, func() bool { return w.router.Stats().Frames == frames+1 }, "it is counted")
		}
		change := func(n int) int {
			frames := w.router.Stats().Frames
			return cost(w, len(clients), func() {
				w.board.set("a", n)
				w.source.announce(t, "a")
				for _, c := range clients {
					s := nextScore(t, c)
					assert.Equal(t, n, s.N)
					assert.Equal(t, text, s.Text)
				}
				eventually(t, func() bool { return w.router.Stats().Frames == frames+int64(len(clients)) }, "all is counted")
			})
		}
		for range 10 {
			join()
		}
		assert.Less(t, change(1), 300)
		join()
		assert.Less(t, change(2), 300, "who came later has the same state")
		assert.Less(t, change(3), 300)
	})
}

// TestHeartbeatsOfCompressedStreams come between states, to scripts or not, on one stream and several.
func TestHeartbeatsOfCompressedStreams(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"stream=score:a&stream=sum", "stream=score:a&stream=sum&heartbeat", "stream=score:a"} {
		inCompressedBubble(t, func(b bubble) {
			b.board.setText("a", bulk(20<<10))
			states := []func() string{b.follow(query)}
			n := 0
			change := func() int64 {
				n++
				before := b.router.Stats().Bytes
				b.board.set("a", n)
				b.source.announce(b, "a")
				synctest.Wait()
				for _, state := range states {
					assert.Contains(b, state(), fmt.Sprintf(`{"Key":"a","N":%d,`, n))
				}

				return (b.router.Stats().Bytes - before) / int64(len(states))
			}
			assert.Less(b, change(), int64(800))
			<-time.After(100 * time.Second)
			assert.Less(b, change(), int64(800), "after heartbeats")
			<-time.After(20 * time.Second)
			states = append(states, b.follow(query))
			<-time.After(40 * time.Second)
			assert.Less(b, change(), int64(800), "who joined between heartbeats")
		})
	}
}

// TestVisitorsWhoComeAndGo have as many distances to the state before as heartbeats since they came. With enough of them each
// distance has its encoding.
func TestVisitorsWhoComeAndGo(t *testing.T) {
	t.Parallel()
	inCompressedBubble(t, func(b bubble) {
		b.board.setText("a", bulk(20<<10))
		var states []func() string
		for range 10 {
			for range 13 {
				states = append(states, b.follow("stream=score:a"))
			}
			<-time.After(15 * time.Second)
		}
		before := b.router.Stats().Bytes
		b.board.set("a", 1)
		b.source.announce(b, "a")
		synctest.Wait()
		for _, state := range states {
			assert.Contains(b, state(), `{"Key":"a","N":1,`)
		}
		assert.Less(b, (b.router.Stats().Bytes-before)/int64(len(states)), int64(800))
	})
}

// follow reads a stream in the background, and returns what returns the last state of a.
func (b bubble) follow(query string) (state func() string) {
	b.Helper()
	stream := b.connect(query)
	var mu sync.Mutex
	var last string
	go func() {
		for {
			event, err := stream.Next(b.Context())
			if err != nil {
				return
			}
			if event.Type == "score:a" {
				mu.Lock()
				last = event.Data
				mu.Unlock()
			}
		}
	}()
	synctest.Wait()

	return func() string {
		mu.Lock()
		defer mu.Unlock()

		return last
	}
}

// inCompressedBubble is inStreamsBubble with states of a that are compressed, and a sum that is not.
func inCompressedBubble(t *testing.T, f func(b bubble)) {
	t.Helper()
	t.Run("", func(t *testing.T) {
		t.Parallel()
		inBubbleOf(t, ssestream.RouterConfig{}, func(router *ssestream.Router, board *board) http.Handler {
			scores := board.builder()
			scores.RequestKey = func(r *http.Request) (string, error) { return r.PathValue("key"), nil }
			scores.Compress = true

			return streamsWith(t, router, board, scores)
		}, f)
	})
}

// TestWhatIsNotCompressed beside what is: states of an adapter that does not allow it.
func TestWhatIsNotCompressed(t *testing.T) {
	t.Parallel()
	inBubbleOf(t, ssestream.RouterConfig{}, func(router *ssestream.Router, board *board) http.Handler {
		var streams []ssestream.Stream
		for _, pattern := range []string{"packed:{key}", "plain:{key}"} {
			builder := board.builder()
			builder.RequestKey = func(r *http.Request) (string, error) { return r.PathValue("key"), nil }
			builder.Compress = pattern == "packed:{key}"
			adapter, err := builder.Build()
			require.NoError(t, err)
			streams = append(streams, ssestream.Stream{Pattern: pattern, Topics: []string{topic}, Adapter: adapter})
		}
		h, err := router.AddStreamsHandler(streams...)
		require.NoError(t, err)

		return h
	}, func(b bubble) {
		b.board.setText("a", strings.Repeat("x", 1000))
		b.board.setText("b", strings.Repeat("y", 1000))
		both := b.get("stream=packed:a&stream=plain:b", "gzip")
		assert.Equal(b, "gzip", both.header.Get("Content-Encoding"))
		assert.Contains(b, both.body, strings.Repeat("y", 1000))
		assert.NotContains(b, both.body, "xxxxxxxxxx")
		plain := b.get("stream=plain:b", "gzip")
		assert.Empty(b, plain.header.Values("Content-Encoding"))
		assert.Equal(b, "Accept", plain.header.Get("Vary"))
		assert.Contains(b, plain.body, "\nid: ")
	})
}

// get returns a stream of one second as it is encoded for a client of that Accept-Encoding.
func (b bubble) get(query, encoding string) answer {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/?"+query, http.NoBody)
	require.NoError(b, err)
	r.Header.Set("Accept", "text/event-stream")
	if encoding != "" {
		r.Header.Set("Accept-Encoding", encoding)
	}
	transport, _ := b.client.Transport.(*http.Transport)
	transport.DisableCompression = true
	response, err := transport.RoundTrip(r)
	require.NoError(b, err)
	body, err := io.ReadAll(response.Body)
	require.ErrorIs(b, err, context.DeadlineExceeded)
	require.NoError(b, response.Body.Close())

	return answer{status: response.StatusCode, header: response.Header, body: string(body)}
}

// TestContentCoding is what the client prefers.
func TestContentCoding(t *testing.T) {
	t.Parallel()
	inCompressedBubble(t, func(b bubble) {
		for accept, want := range map[string]string{
			"":                                "",
			"gzip":                            "gzip",
			"GZIP":                            "gzip",
			"deflate, br":                     "",
			"br":                              "",
			"gzip;q=0":                        "",
			"gzip;q=0, *":                     "",
			"*":                               "gzip",
			"*;q=0":                           "",
			"identity, gzip;q=0.5":            "",
			"identity;q=0.5, gzip;q=0.8":      "gzip",
			"gzip, deflate, br":               "gzip",
			"br;q=1.0, gzip;q=0.8, *;q=0.1":   "gzip",
			"deflate, gzip;q=1.0, *;q=0.5":    "gzip",
			"identity;q=1, *;q=0":             "",
			"gzip;q=0.001, identity;q=0.0005": "gzip",
			"gzip, deflate, br, zstd":         "gzip",
			"zstd":                            "zstd",
			"zstd;q=0.7, gzip;q=0.6":          "zstd",
			"zstd;q=0.7, gzip":                "gzip",
			"zstd;q=0.7, *":                   "gzip",
			"zstd;q=0.7, identity":            "",
			"zstd, gzip;q=0":                  "zstd",
		} {
			response := b.get("stream=score:a", accept)
			assert.Equal(b, want, response.header.Get("Content-Encoding"), accept)
			assert.Equal(b, "Accept, Accept-Encoding", response.header.Get("Vary"), accept)
		}
	})
}

// TestContentCodingOfSeveralStreams is zstd, whatever they have when the connection begins, and also if one is refused.
func TestContentCodingOfSeveralStreams(t *testing.T) {
	t.Parallel()
	inCompressedBubble(t, func(b bubble) {
		for range 2 { // not loaded, and loaded
			for _, query := range []string{"stream=score:a&stream=sum", "stream=score:a&stream=other"} {
				assert.Equal(b, "zstd", b.get(query, "gzip, deflate, br, zstd").header.Get("Content-Encoding"), query)
				assert.Equal(b, "gzip", b.get(query, "gzip, br").header.Get("Content-Encoding"), query)
			}
			b.follow("stream=score:a&stream=sum")
		}
	})
}

// TestContentCodingOfLargeStates is zstd, of which gzip's window does not take much more.
func TestContentCodingOfLargeStates(t *testing.T) {
	t.Parallel()
	inCompressedBubble(t, func(b bubble) {
		b.board.setText("a", bulk(30<<10))
		for accept, want := range map[string]string{
			"gzip, deflate, br, zstd": "zstd",
			"gzip, br":                "gzip",
			"*":                       "gzip",
			"gzip, zstd;q=0.9":        "gzip",
		} {
			assert.Equal(b, want, b.get("stream=score:a", accept).header.Get("Content-Encoding"), accept)
		}
	})
}

// TestLargeStatesInStep are beyond the window of gzip.
func TestLargeStatesInStep(t *testing.T) {
	t.Parallel()
	onEachServer(t, settings{builder: compress}, func(t *testing.T, w world) {
		t.Helper()
		text := bulk(90 << 10)
		w.board.setText("a", text)
		readers := make([]*ssestreamtest.Reader, 5)
		for i := range readers {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/?key=a", http.NoBody)
			require.NoError(t, err)
			r.Header.Set("Accept", "text/event-stream")
			r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
			response, err := w.client.Do(r)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, response.Body.Close()) })
			require.Equal(t, "zstd", response.Header.Get("Content-Encoding"))
			decoder, err := zstd.NewReader(response.Body, zstd.WithDecoderConcurrency(1))
			require.NoError(t, err)
			t.Cleanup(decoder.Close)
			readers[i] = ssestreamtest.NewReader(decoder)
		}
		read := func(n int) {
			for _, reader := range readers {
				event, err := reader.Next()
				require.NoError(t, err)
				s := scoreOf(t, event)
				assert.Equal(t, n, s.N)
				assert.Equal(t, text, s.Text)
			}
			eventually(t, func() bool { return w.router.Stats().Frames == int64((n+1)*len(readers)) }, "all is counted")
		}
		read(0)
		for n := 1; n < 4; n++ {
			assert.Less(t, cost(w, len(readers), func() {
				w.board.set("a", n)
				w.source.announce(t, "a")
				read(n)
			}), 300)
		}
	})
}

// TestTheEndOfACompressedStream is read as that of any other: a stream has no trailer.
func TestTheEndOfACompressedStream(t *testing.T) {
	t.Parallel()
	onEachServer(t, settings{builder: compress, config: ssestream.RouterConfig{DrainWindow: time.Hour}}, func(t *testing.T, w world) {
		t.Helper()
		stream := w.connect(t, "key=a")
		nextScore(t, stream)
		retry := stream.Retry()
		require.NoError(t, w.router.Close())
		_, err := stream.Next(t.Context())
		require.ErrorIs(t, err, io.EOF)
		assert.NotEqual(t, retry, stream.Retry(), "the farewell was read")
	})
}

// TestAStreamThatMiddlewareEncodes is left alone.
func TestAStreamThatMiddlewareEncodes(t *testing.T) {
	t.Parallel()
	onEachServer(t, settings{builder: compress, around: func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "rot13") // It does not, for the test to read.
			h.ServeHTTP(w, r)
		})
	}}, func(t *testing.T, w world) {
		t.Helper()
		stream := w.connect(t, "key=a")
		assert.Equal(t, "rot13", stream.Header().Get("Content-Encoding"))
		nextScore(t, stream)
	})
}
