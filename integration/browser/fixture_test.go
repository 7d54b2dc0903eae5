package browser_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/browser/internal/site"
	"github.com/feedmill/feedmill/integration/internal/chrome"
)

// startSite starts a microblog that logs to the test.
func startSite(t *testing.T, address, dataDir string) *site.Site {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	microblog, err := site.Start(context.WithoutCancel(t.Context()), address, dataDir, logger)
	require.NoError(t, err)
	return microblog
}

// newSite starts a microblog on a free port and stops it at the end of the test.
func newSite(t *testing.T) *site.Site {
	t.Helper()
	microblog := startSite(t, "127.0.0.1:0", t.TempDir())
	t.Cleanup(func() { require.NoError(t, microblog.Stop()) })
	return microblog
}

// newBrowser starts a browser and closes it at the end of the test.
func newBrowser(t *testing.T) *chrome.Browser {
	t.Helper()
	browser, err := chrome.Start(context.WithoutCancel(t.Context()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, browser.Close()) })
	return browser
}

// window is a browser window that fails its test instead of returning errors.
type window struct {
	*chrome.Window
	t    *testing.T
	name string
}

// open opens a window and waits until its page is live. It marks the page; a reload removes the mark.
func open(t *testing.T, browser *chrome.Browser, name, url string) *window {
	t.Helper()
	const width, height = 1280, 900
	opened, err := browser.Open(url, width, height)
	require.NoError(t, err, "window %s", name)
	w := &window{Window: opened, t: t, name: name}
	w.awaitLive()
	w.mark()
	return w
}

func (w *window) mark() {
	w.t.Helper()
	require.Equal(w.t, w.name, value[string](w, "window.mark = "+quote(w.name)))
}

// requireNotReloaded fails if the page was reloaded.
func (w *window) requireNotReloaded() {
	w.t.Helper()
	require.Equal(w.t, w.name, value[string](w, "String(window.mark)"), "window %s was reloaded", w.name)
}

func (w *window) await(expression string) {
	w.t.Helper()
	require.NoError(w.t, w.Await(expression), "window %s", w.name)
}

func (w *window) awaitLive() {
	w.t.Helper()
	w.awaitStatus("live")
}

func (w *window) awaitStatus(status string) {
	w.t.Helper()
	w.await(attribute("connection", "status") + " === " + quote(status))
}

// awaitFeed waits until the feed list has a feed with that many posts, or no such feed if posts is 0.
func (w *window) awaitFeed(name string, posts int) {
	w.t.Helper()
	row := `document.querySelector('[data-feed=` + quote(name) + `]')`
	if posts == 0 {
		w.await(row + " === null")
		return
	}
	w.await(row + `?.querySelector('[data-testid="feed-count"]').innerText === ` + quote(quote(posts)))
}

// awaitPosts waits until the page of a feed shows exactly the posts with these titles.
func (w *window) awaitPosts(titles ...string) {
	w.t.Helper()
	shown := `[...document.querySelectorAll('[data-testid="post"] h3')].map((title) => title.textContent)`
	w.await("JSON.stringify(" + shown + ") === " + quote(quote(append([]string{}, titles...))))
	w.await(attribute("post-count", "count") + " === " + quote(quote(len(titles))))
}

func (w *window) click(testID string) {
	w.t.Helper()
	require.NoError(w.t, w.Click(testID), "window %s", w.name)
}

// setOffline tells the page of the network.
func (w *window) setOffline(offline bool) (can bool) {
	w.t.Helper()
	require.NoError(w.t, w.SetOffline(offline), "window %s", w.name)
	return true
}

// deletePost deletes the newest post of the page, or the post that it edits.
func (w *window) deletePost() {
	w.t.Helper()
	if value[bool](w, `document.querySelector('[data-testid="post-menu"]') !== null`) {
		w.click("post-menu")
	}
	w.click("post-delete")
	w.click("post-delete-confirm")
}

// warns reports whether the page asks before it closes.
func (w *window) warns() bool {
	w.t.Helper()
	return value[bool](w, `!window.dispatchEvent(new Event('beforeunload', { cancelable: true }))`)
}

// leave opens another address, as a user who confirms that the page may close.
func (w *window) leave(url string) {
	w.t.Helper()
	require.NoError(w.t, w.Leave(url), "window %s", w.name)
}

func (w *window) fill(testID, text string) {
	w.t.Helper()
	require.NoError(w.t, w.Type(testID, text), "window %s", w.name)
}

// post creates a post by the form of the page.
func (w *window) post(title, content string) {
	w.t.Helper()
	if !value[bool](w, `document.querySelector('[data-testid="post-title"]') !== null`) {
		w.click("post-add-title")
	}
	w.fill("post-title", title)
	w.fill("post-content", content)
	w.fill("post-author", w.name)
	w.click("post-submit")
	w.await(`document.querySelector('[data-testid="posted"] a')?.textContent === ` + quote(title))
}

func value[T any](w *window, expression string) T {
	w.t.Helper()
	got, err := chrome.Value[T](w.Window, expression)
	require.NoError(w.t, err, "window %s", w.name)
	return got
}

// requireStreams waits until the server has that many open streams.
func requireStreams(t *testing.T, microblog *site.Site, windows int64) {
	t.Helper()
	require.Eventually(t, func() bool { return microblog.Stats().Clients == windows }, time.Minute, 10*time.Millisecond,
		"the server does not have one stream for each of %d windows", windows)
}

func attribute(testID, name string) string {
	return `document.querySelector('[data-testid="` + testID + `"]')?.dataset.` + name
}

// quote returns a Go value as a JavaScript literal.
func quote(v any) string {
	var literal strings.Builder
	encoder := json.NewEncoder(&literal)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // callers pass strings and numbers
	}
	return strings.TrimSpace(literal.String())
}
