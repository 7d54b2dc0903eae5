package browser_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	hostileTitle   = `<img src=x onerror="window.pwned='title'"> <b>title</b>`
	hostileContent = `<script>window.pwned='content'</script><img src=x onerror="window.pwned='content'"> #markup`
)

// TestMarkupIsShownAsText tests that content is never markup. The page's policy is off, because it could hide that markup
// got in.
func TestMarkupIsShownAsText(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	writer := open(t, browser, "writer", microblog.URL)
	feed := open(t, browser, "feed", microblog.URL)
	for _, w := range []*window{writer, feed} {
		require.NoError(t, w.IgnorePolicy())
	}
	require.NoError(t, writer.Navigate(microblog.URL))
	require.NoError(t, feed.Navigate(microblog.URL+"/feeds/markup"))
	feed.awaitLive()

	writer.post(hostileTitle, hostileContent)
	feed.awaitPosts(hostileTitle)
	content := value[string](feed, `document.querySelector('[data-testid="post"] .post-content').textContent`)
	require.Equal(t, hostileContent, content)

	writer.click("posted-title")
	writer.await(`document.querySelector('[data-testid="post-content"]')?.value === ` + quote(hostileContent))
	for _, w := range []*window{writer, feed} {
		require.Zero(t, value[int](w, `document.querySelectorAll('main img, main script, main b').length`), "window %s", w.name)
		require.Equal(t, "undefined", value[string](w, `typeof window.pwned`), "window %s", w.name)
	}
}

// TestPolicyKeepsMarkupFromRunning tests that the page's policy stops injected markup.
func TestPolicyKeepsMarkupFromRunning(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	page := open(t, browser, "page", microblog.URL)
	inject := `document.querySelector('main').insertAdjacentHTML('beforeend', '<img id="bad" src="/x" onerror="window.pwned = true">'),
		document.getElementById('bad').addEventListener('error', () => { window.failed = true }), true`

	require.True(t, value[bool](page, inject))
	page.await("window.failed === true")
	require.Equal(t, "undefined", value[string](page, "typeof window.pwned"))

	// The same markup runs without the policy, so the test can fail.
	require.NoError(t, page.IgnorePolicy())
	require.NoError(t, page.Navigate(microblog.URL))
	require.True(t, value[bool](page, inject))
	page.await("window.pwned === true")
}
