// Package browser_test has Chromium's EventSource read what a router sent, on its own origin and from another. The
// browser is the one that FEEDMILL_CHROMIUM names or that is on PATH.
package browser_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/integration/internal/chrome"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// page opens the blank page of the server in a browser of its own.
func page(t *testing.T, server string) *chrome.Window {
	t.Helper()
	browser, err := chrome.Start(context.WithoutCancel(t.Context()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, browser.Close()) })
	window, err := browser.Open(server+"/", 640, 480)
	require.NoError(t, err)
	return window
}

// blank has what the tests call: follow keeps the events of an EventSource that have one of the names in received, and
// counts its errors in failures; resume leaves the first bytes of a stream that it fetches in fetched.
const blank = `<!doctype html>
<title>A page that follows a stream</title>
<script>
var received = [], failures = 0, source
function follow(url, names) {
	source = new EventSource(url)
	source.onerror = () => { failures++ }
	const keep = (event) => { received.push({ type: event.type, data: event.data, id: event.lastEventId }) }
	for (const name of names) source.addEventListener(name, keep)
	return true
}
var fetched = null
function resume(url, id) {
	fetched = null
	const leave = new AbortController()
	fetch(url, { headers: { Accept: 'text/event-stream', 'Last-Event-ID': id }, signal: leave.signal })
		.then((response) => response.body.getReader().read())
		.then(({ value }) => { fetched = new TextDecoder().decode(value) })
		.catch((error) => { fetched = 'failed: ' + error.name })
		.finally(() => leave.abort())
	return true
}
</script>`

// servePage serves the blank page at /, and the stream, if there is one, at /stream.
func servePage(t *testing.T, stream http.Handler) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(blank))
	})
	if stream != nil {
		mux.Handle("/stream", stream)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func value[T any](t *testing.T, window *chrome.Window, expression string) T {
	t.Helper()
	got, err := chrome.Value[T](window, expression)
	require.NoError(t, err)
	return got
}

// quote is a Go value as a JavaScript literal.
func quote(t *testing.T, v any) string {
	t.Helper()
	literal, err := json.Marshal(v)
	require.NoError(t, err)
	return string(literal)
}
