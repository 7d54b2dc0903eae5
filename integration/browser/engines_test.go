package browser_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/browser/internal/site"
	"github.com/feedmill/feedmill/integration/internal/engines"
)

// tab is a tab of another browser than Chromium. It fails its test instead of returning errors.
type tab struct {
	engines.Tab
	t *testing.T
}

func openTab(t *testing.T, browser engines.Browser, url string) *tab {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	opened, err := browser.Open(ctx, url)
	require.NoError(t, err)
	return &tab{opened, t}
}

func (o *tab) await(expression string) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
	defer cancel()
	require.NoError(o.t, engines.Await(ctx, o.Tab, expression))
}

func (o *tab) awaitStatus(status string) {
	o.t.Helper()
	o.await(attribute("connection", "status") + " === " + quote(status))
}

func (o *tab) awaitPosts(posts ...string) {
	o.t.Helper()
	o.await(titles + " === " + quote(quote(append([]string{}, posts...))))
}

func (o *tab) fill(testID, text string) {
	o.t.Helper()
	o.await(fmt.Sprintf(`(() => {
		const field = document.querySelector('[data-testid=%s]')
		if (!field) return false
		field.value = %s
		return field.dispatchEvent(new Event('input', { bubbles: true }))
	})()`, quote(testID), quote(text)))
}

// setOffline tells the page of the network, if the browser can.
func (o *tab) setOffline(offline bool) (can bool) {
	o.t.Helper()
	can, err := o.SetOffline(o.t.Context(), offline)
	require.NoError(o.t, err)
	return can
}

func (o *tab) click(testID string) {
	o.t.Helper()
	button := `document.querySelector('[data-testid=` + quote(testID) + `]')`
	o.await(button + ` && !` + button + `.disabled && (` + button + `.click(), true)`)
}

// TestOtherEngines has Firefox and WebKit go through what Chromium does in the other tests.
func TestOtherEngines(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(context.Context) (engines.Browser, error){
		"Firefox": engines.Firefox, "WebKit": engines.WebKit,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			browser, err := start(ctx)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, browser.Close()) })
			followThroughRestart(t, browser)
			cutOneWindow(t, browser)
			haveOneConnection(t, browser)
			goOffline(t, func(url string) page { return openTab(t, browser, url) })
		})
	}
}

// followThroughRestart writes and edits in one tab while another follows, also over a restart of the server.
func followThroughRestart(t *testing.T, browser engines.Browser) {
	t.Helper()
	dataDir := t.TempDir()
	microblog := startSite(t, "127.0.0.1:0", dataDir)
	address := strings.TrimPrefix(microblog.URL, "http://")
	feed := openTab(t, browser, microblog.URL+"/feeds/two")
	feed.awaitStatus("live")
	writer := openTab(t, browser, microblog.URL)
	writer.fill("post-author", "Ada")
	writer.fill("post-content", "First of #two")
	writer.click("post-submit")
	feed.awaitPosts("First of #two")
	writer.click("post-menu")
	writer.click("post-edit")
	writer.await(`document.querySelector('[data-testid="post-version"]') !== null`)
	writer.fill("post-content", "Edited, of #two")
	writer.click("post-submit")
	feed.awaitPosts("Edited, of #two")

	require.NoError(t, microblog.Stop())
	feed.awaitStatus("reconnecting")
	microblog = startSite(t, address, dataDir)
	defer func() { require.NoError(t, microblog.Stop()) }()
	_, err := microblog.Write(t.Context(), site.Draft{Author: "Bob", Content: "After the restart, #two"})
	require.NoError(t, err)
	feed.awaitPosts("After the restart, #two", "Edited, of #two")
	feed.awaitStatus("live")
}

// cutOneWindow writes in one window of the page with two. The other is cut, and catches up.
func cutOneWindow(t *testing.T, browser engines.Browser) {
	t.Helper()
	microblog := startSite(t, "127.0.0.1:0", t.TempDir())
	defer func() { require.NoError(t, microblog.Stop()) }()
	page := openTab(t, browser, microblog.URL+"/two")
	requireStreams(t, microblog, 2)
	shown := `[...document.querySelectorAll('.mini-window')[1].querySelectorAll('[data-testid="post"] .post-content')]` +
		`.map((content) => content.textContent).join()`
	write := func(content string) {
		page.fill("post-author", "Ada")
		page.fill("post-content", content)
		page.click("post-submit")
		page.await(`document.querySelector('[data-testid="posted"]').textContent.includes(` + quote(content) + `)`)
	}
	write("One")
	page.await(shown + ` === 'One'`)
	page.await(attribute("median", "measured") + ` === '1'`)
	page.click("cut")
	requireStreams(t, microblog, 1)
	write("Two")
	page.await(shown + ` === 'One' && document.querySelector('[data-testid="cut-notice"]').textContent.includes('1 post missed')`)
	page.click("cut")
	page.await(shown + ` === 'Two,One'`)
}

// haveOneConnection opens ten tabs, where a browser allows six connections with HTTP/1.1.
func haveOneConnection(t *testing.T, browser engines.Browser) {
	t.Helper()
	microblog := startSite(t, "127.0.0.1:0", t.TempDir())
	defer func() { require.NoError(t, microblog.Stop()) }()
	tabs := make([]*tab, 10)
	for i := range tabs {
		tabs[i] = openTab(t, browser, microblog.URL)
		tabs[i].awaitStatus("live")
	}
	tabs[9].fill("post-author", "Ada")
	tabs[9].fill("post-content", "Ten tabs")
	tabs[9].click("post-submit")
	for _, tab := range tabs {
		tab.awaitPosts("Ten tabs")
	}
	assert.EqualValues(t, 1, microblog.Stats().Clients)
}
