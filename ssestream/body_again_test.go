package ssestream_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// keyInBody has requests name their key in the body.
func keyInBody(b *ssestream.AdapterBuilder[changed, score]) {
	b.RequestKey = func(r *http.Request) (string, error) {
		body, err := io.ReadAll(r.Body)
		if len(body) == 0 {
			return "", errors.Join(errors.New("there is no body"), err)
		}

		return string(body), err
	}
}

// connectBody connects with a body and returns the stream's events.
func connectBody(t *testing.T, w world, query, body string) *ssestreamtest.Reader {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/?"+query, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("User", "ann")
	response, err := w.client.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, http.StatusOK, response.StatusCode)

	return ssestreamtest.NewReader(response.Body)
}

func nextOf(t *testing.T, events *ssestreamtest.Reader) ssestreamtest.Event {
	t.Helper()
	event, err := events.Next()
	require.NoError(t, err)

	return event
}

// TestABodyIsReadAgain when a stream is authorized again, however often.
func TestABodyIsReadAgain(t *testing.T) {
	t.Parallel()
	onEachServer(t, settings{config: kickable(t), builder: keyInBody}, func(t *testing.T, w world) {
		t.Helper()
		stream := connectBody(t, w, "", "a")
		nextOf(t, stream)
		for n := 1; n <= 2; n++ {
			require.NoError(t, w.router.Kick(t.Context(), ssestream.Kick{Principal: "ann", Authorize: true}))
			w.board.set("a", n)
			w.source.announce(t, "a")
			assert.Equal(t, n, scoreOf(t, nextOf(t, stream)).N, "it goes on")
		}
	})
}

// TestEachQuestionReadsTheBody from its beginning.
func TestEachQuestionReadsTheBody(t *testing.T) {
	t.Parallel()
	read := func(r *http.Request) string {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err) //nolint:testifylint // not the test's goroutine

		return string(body)
	}
	config := ssestream.RouterConfig{Principal: read, MaxClientsPerPrincipal: 1}
	w := settings{config: config, builder: func(b *ssestream.AdapterBuilder[changed, score]) {
		keyInBody(b)
		b.Authorize = func(r *http.Request, key string) error {
			assert.Equal(t, key, read(r))

			return nil
		}
		b.Expires = func(r *http.Request) time.Time {
			assert.Equal(t, "a", read(r))

			return time.Time{}
		}
	}}.start(t, serve)
	nextOf(t, connectBody(t, w, "", "a"))
}

// TestEachAdapterReadsTheBody of a request for several streams.
func TestEachAdapterReadsTheBody(t *testing.T) {
	t.Parallel()
	w := settings{builder: keyInBody}.start(t, serve)
	builder := w.board.builder()
	keyInBody(&builder)
	var streams []ssestream.Stream
	for _, name := range []string{"one", "two", "three:{x}"} {
		adapter, err := builder.Build()
		require.NoError(t, err)
		streams = append(streams, ssestream.Stream{Pattern: name, Topics: []string{topic}, Adapter: adapter})
	}
	h, err := w.router.AddStreamsHandler(streams...)
	require.NoError(t, err)
	w.site = serve(t, h)
	stream := connectBody(t, w, "stream=one&stream=two&stream=three:3", "a")
	seen := map[string]bool{}
	for range 3 {
		seen[nextOf(t, stream).Type] = true
	}
	assert.Equal(t, map[string]bool{"one": true, "two": true, "three:3": true}, seen)
}

// TestARefusedMethodDoesNotWaitForItsBody.
func TestARefusedMethodDoesNotWaitForItsBody(t *testing.T) {
	t.Parallel()
	for what, promise := range promises() {
		for _, method := range []string{http.MethodPut, http.MethodTrace, http.MethodPost} {
			for name, wrap := range map[string]func(http.ResponseWriter) http.ResponseWriter{
				"as it is": func(w http.ResponseWriter) http.ResponseWriter { return w },
				"flushing": func(w http.ResponseWriter) http.ResponseWriter { return flushable{w} },
			} {
				t.Run(method+", "+what+", "+name, func(t *testing.T) {
					t.Parallel()
					w, _ := unkept(t, wrap)
					conn := send(t, w.site, method+" /?key=a HTTP/1.1\r\nHost: x\r\n"+promise)
					status, body := answerTo(t, conn)
					assert.Equal(t, http.StatusMethodNotAllowed, status)
					_, err := io.Copy(io.Discard, body)
					require.NoError(t, err)
					if name == "as it is" {
						_, err = conn.Read(make([]byte, 1))
						require.ErrorIs(t, err, io.EOF, "the connection ends")
					}
				})
			}
		}
	}
}

// posted is an adapter of the stock router whose state is the size of the body.
type posted struct{}

func (posted) InitialStreamResponse(w http.ResponseWriter, r *http.Request) (any, bool) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}

	return score{N: int(n)}, err == nil
}

func (posted) NextStreamResponse(*http.Request, *message.Message) (any, bool) { return nil, false }

// TestAStockAdapterReadsLargeBodies as on the stock router, and as slowly as they come.
func TestAStockAdapterReadsLargeBodies(t *testing.T) {
	t.Parallel()
	w := settings{config: ssestream.RouterConfig{WriteTimeout: 100 * time.Millisecond}}.start(t, serve)
	var adapter watermillhttp.StreamAdapter = posted{}
	server := httptest.NewServer(w.router.AddHandler(topic, adapter))
	t.Cleanup(server.Close)
	body, sending := io.Pipe()
	go func() {
		for range 4 {
			pause(50 * time.Millisecond)
			_, _ = sending.Write(make([]byte, 32<<10))
		}
		_ = sending.Close()
	}()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, body)
	require.NoError(t, err)
	request.Header.Set("Content-Type", "text/plain")
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	state, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, response.StatusCode, string(state))
	assert.Contains(t, string(state), "131072")
}

// TestAClosedRouterDoesNotWaitForABody, whoever would have read it.
func TestAClosedRouterDoesNotWaitForABody(t *testing.T) {
	t.Parallel()
	for what, promise := range promises() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := settings{config: ssestream.RouterConfig{WriteTimeout: 500 * time.Millisecond}}.start(t, serve)
			site := serve(t, w.router.AddHandler(topic, posted{}))
			require.NoError(t, w.router.Close())
			status, _ := answerTo(t, send(t, site, "POST / HTTP/1.1\r\nHost: x\r\n"+promise))
			assert.Equal(t, http.StatusServiceUnavailable, status)
		})
	}
}
