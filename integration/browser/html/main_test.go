// Package html_test has pages of htmx, Turbo and Datastar follow streams of HTML in a headless Chromium. The pages are those of
// docs/html.md. Their libraries are in npm/, where `npm ci` has to have run, as `make test` sees to, except for Datastar: the file
// that FEEDMILL_DATASTAR names, or by default npm/datastar.js.
package html_test

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/integration/internal/chrome"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is the program of docs/html.md, its pages and their libraries, behind a proxy.
type site struct {
	app   *feedmill.App
	proxy *ssestreamtest.Proxy
	url   string // without the proxy
}

func newSite(t *testing.T) *site {
	t.Helper()
	require.FileExists(t, "npm/node_modules/htmx.org/package.json", "`npm ci` has to have run in integration/browser/html/npm")
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	db, err := sql.Open("sqlite", sqlitestore.DSN(filepath.Join(t.TempDir(), "notes.db")))
	require.NoError(t, err)
	app, mux := serveNotes(ctx, db)
	mux.Handle("GET /", http.FileServer(http.Dir("pages")))
	mux.Handle("GET /npm/", http.StripPrefix("/npm/", http.FileServer(http.Dir("npm/node_modules"))))
	mux.HandleFunc("GET /datastar.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, datastar()) })
	server := httptest.NewServer(mux)
	proxy, err := ssestreamtest.StartProxy(server.URL)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
		require.NoError(t, proxy.Close())
		server.Close()
		require.NoError(t, db.Close())
	})
	<-app.Running()

	return &site{app, proxy, server.URL}
}

// datastar returns the file that is loaded as Datastar.
func datastar() string {
	if file := os.Getenv("FEEDMILL_DATASTAR"); file != "" {
		return file
	}

	return "npm/datastar.js"
}

// write posts a note.
func (s *site) write(t *testing.T, tag, text string) {
	t.Helper()
	form := strings.NewReader(url.Values{"tag": {tag}, "text": {text}}.Encode())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/notes", form)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusCreated, response.StatusCode)
}

// window is a page in a browser of its own.
type window struct {
	*chrome.Window
	t *testing.T
}

func (s *site) open(t *testing.T, page string) window {
	t.Helper()
	browser, err := chrome.Start(context.WithoutCancel(t.Context()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, browser.Close()) })
	opened, err := browser.Open(s.proxy.URL()+"/"+page, 640, 480)
	require.NoError(t, err)

	return window{opened, t}
}

// shows waits until a list is what the items say, newest first.
func (w window) shows(tag string, items ...string) {
	w.t.Helper()
	const texts = `[...document.querySelectorAll('#notes-%s > li')].map((item) => item.textContent).join('|') === `
	w.await(strings.Replace(texts, "%s", tag, 1) + quote(w.t, strings.Join(items, "|")))
}

func (w window) await(expression string) {
	w.t.Helper()
	require.NoError(w.t, w.Await(expression))
}
