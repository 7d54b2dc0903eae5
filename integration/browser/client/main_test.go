// Package client_test has pages in a headless Chromium follow a router with the client of clients/typescript, which must be
// built (`npm run build`). The browser is that of FEEDMILL_CHROMIUM, or the first on PATH.
package client_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/integration/internal/chrome"
	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	topic = "counted"
	built = "../../../clients/typescript/dist"
	pages = "../../../clients/typescript/examples/dist"
)

// page has what the tests call: follow, and leave. It keeps the statuses with their times, and the states and problems of
// each stream. With a share in its query it shares a connection, and with a method it sends requests by fetch, with the token
// of the page.
const page = `<!doctype html>
<title>A page that follows streams</title>
<script type="module">
import { StreamClient } from '/client/index.js'
import { byFetch } from '/client/fetch.js'
const query = new URLSearchParams(location.search), share = query.get('share'), method = query.get('method')
window.token = 'old'
window.asked = []
const request = async () => {
	asked.push(token)
	return { method, headers: { Authorization: 'Bearer ' + token }, ...(method === 'POST' && { body: '{}' }) }
}
const options = method ? { transport: byFetch(request) } : share ? { share } : {}
const streams = new StreamClient('/streams', options), leaves = {}
window.statuses = []
window.told = {}
streams.onStatus((status) => { statuses.push({ status, at: performance.now() }) })
window.follow = (name) => {
	const of = (told[name] ??= { states: [], problems: [] })
	leaves[name] = streams.subscribe(name, {
		state: (value) => of.states.push(value),
		problem: ({ status }) => of.problems.push(status),
		discarded: () => of.states.push('discarded'),
	})
	return true
}
window.leave = (name) => leaves[name]?.()
window.streams = streams
</script>`

// site is a router with a counter, which is the stream "count" and every stream "row:{id}". The stream "mine" is
// refused without a login.
type site struct {
	URL      string
	router   *ssestream.Router
	count    atomic.Int64
	requests atomic.Int64 // for streams
	proxy    *ssestreamtest.Proxy
}

func newSite(t *testing.T, config ssestream.RouterConfig, latency time.Duration) *site {
	t.Helper()
	_, err := os.Stat(built + "/index.js")
	require.NoError(t, err, "run `npm ci && npm run build` in clients/typescript")
	config.Retry = 100 * time.Millisecond
	s := &site{}
	s.router, err = ssestream.NewRouter(config, watermill.NopLogger{})
	require.NoError(t, err)
	streams, err := s.router.AddStreamsHandler(
		ssestream.Stream{Pattern: "count", Topics: []string{topic}, Adapter: s.adapter(t, nil)},
		ssestream.Stream{Pattern: "row:{id}", Topics: []string{topic}, Adapter: s.adapter(t, nil)},
		ssestream.Stream{Pattern: "mine", Topics: []string{topic}, Adapter: s.adapter(t, loggedIn)},
	)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(page)) // The browser may be gone.
	})
	mux.Handle("GET /client/", http.StripPrefix("/client/", http.FileServer(http.Dir(built))))
	mux.Handle("GET /examples/", http.StripPrefix("/examples/", http.FileServer(http.Dir(pages))))
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "user", Value: "alice", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	})
	mux.HandleFunc("/streams", func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if r.Method == http.MethodPost {
			r.Method = http.MethodGet
		}
		select {
		case <-time.After(latency):
			streams(w, r)
		case <-r.Context().Done():
		}
	})
	server := httptest.NewUnstartedServer(mux)
	server.Config.SetKeepAlivesEnabled(false) // A browser would use connections again that the proxy has stranded.
	server.Start()
	s.proxy, err = ssestreamtest.StartProxy(server.URL)
	require.NoError(t, err)
	s.URL = s.proxy.URL()
	done := make(chan error, 1)
	go func() { done <- s.router.Run(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() {
		require.NoError(t, s.router.Close())
		require.NoError(t, <-done)
		require.NoError(t, s.proxy.Close())
		server.Close()
	})
	<-s.router.Running()
	return s
}

func loggedIn(r *http.Request, _ string) error {
	if r.Header.Get("Authorization") == "Bearer alice" {
		return nil
	}
	if _, err := r.Cookie("user"); err != nil {
		return &ssestream.StatusError{Status: http.StatusUnauthorized, Err: err}
	}
	return nil
}

func (s *site) adapter(t *testing.T, authorize func(*http.Request, string) error) *ssestream.Adapter[struct{}, int64] {
	t.Helper()
	adapter, err := ssestream.AdapterBuilder[struct{}, int64]{
		RequestKey: func(r *http.Request) (string, error) { return "row" + r.PathValue("id"), nil },
		EventKeys:  func(struct{}) []string { return []string{ssestream.AllKeys} },
		Load:       func(context.Context, string) (int64, error) { return s.count.Load(), nil },
		Authorize:  authorize,
		Decode:     func(*message.Message) (struct{}, error) { return struct{}{}, nil },
	}.Build()
	require.NoError(t, err)
	return adapter
}

// add counts one more.
func (s *site) add(t *testing.T) {
	t.Helper()
	s.count.Add(1)
	require.NoError(t, s.router.Publish(topic, message.NewMessage(watermill.NewUUID(), nil)))
}

// open opens the page in a browser of its own, with a query.
func (s *site) open(t *testing.T, query ...string) *window {
	t.Helper()
	w := s.openAt(t, "/"+strings.Join(query, ""))
	w.await("typeof streams === 'object'")
	return w
}

// openAt opens a page in a browser of its own.
func (s *site) openAt(t *testing.T, path string) *window {
	t.Helper()
	browser, err := chrome.Start(context.WithoutCancel(t.Context()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, browser.Close()) })
	opened, err := browser.Open(s.URL+path, 640, 480)
	require.NoError(t, err)
	return &window{opened, t}
}

// window is a browser window that fails its test instead of returning errors.
type window struct {
	*chrome.Window
	t *testing.T
}

func (w *window) await(expression string) {
	w.t.Helper()
	if err := w.Await(expression); err != nil {
		told, _ := chrome.Value[string](w.Window, "JSON.stringify({ statuses, told })") // only to explain
		require.NoError(w.t, err, told)
	}
}

func value[T any](w *window, expression string) T {
	w.t.Helper()
	got, err := chrome.Value[T](w.Window, expression)
	require.NoError(w.t, err)
	return got
}

func (w *window) run(expression string) { w.t.Helper(); value[bool](w, "("+expression+", true)") }

// statuses returns the statuses so far, in one word each.
func (w *window) statuses() string {
	w.t.Helper()
	return strings.Join(value[[]string](w, "statuses.map(({ status }) => status)"), " ")
}

// quote returns a Go value as a JavaScript literal.
func quote(t *testing.T, v any) string {
	t.Helper()
	literal, err := json.Marshal(v)
	require.NoError(t, err)
	return string(literal)
}
