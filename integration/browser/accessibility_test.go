package browser_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/browser/internal/site"
)

// TestPagesAreAccessible tests each page with axe, in the light and in the dark scheme.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	axe, err := os.ReadFile("../../examples/microblog/web/node_modules/axe-core/axe.min.js")
	require.NoError(t, err, "run `make web`")
	microblog, browser := newSite(t), newBrowser(t)
	var id string
	for _, draft := range []site.Draft{
		{Author: "Ada", Content: "A `line` of code, #go and " + strings.Repeat("many words ", 60)},
		{Author: "עדה", Title: "כותרת", Content: "شكرا #go"},
	} {
		post, err := microblog.Write(t.Context(), draft)
		require.NoError(t, err)
		id = post.ID
	}
	for _, scheme := range []string{"light", "dark"} {
		w := open(t, browser, scheme, microblog.URL)
		require.NoError(t, w.PreferDark(scheme == "dark"))
		check := func(state string) {
			t.Helper()
			require.Equal(t, scheme == "dark", value[bool](w, `matchMedia('(prefers-color-scheme: dark)').matches`))
			require.True(t, value[bool](w, string(axe)+`;
				window.violations = undefined
				axe.run().then(({ violations }) => {
					window.violations = violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => id + ': ' + html + ' ' + failureSummary)).join('\n')
				}, (error) => { window.violations = String(error) })
				true`))
			w.await(`window.violations !== undefined`)
			require.Empty(t, value[string](w, `window.violations`), "%s in the %s scheme", state, scheme)
		}
		check("the timeline")
		w.click("post-menu")
		w.fill("post-content", "a draft with #tags")
		w.await(`document.querySelector('[data-testid="post-tags"]') !== null`)
		check("the timeline with a menu and a draft")
		for _, path := range []string{"/tags", "/feeds/go", "/feeds/nobody", "/posts/" + id, "/two", "/live"} {
			w.leave(microblog.URL + path)
			w.awaitLive()
			w.await(`document.querySelector('[role="status"] .spinner-border') === null`)
			if path == "/live" {
				w.await(`document.querySelector('[data-testid="way"]') !== null`)
			}
			check(path)
			if path == "/feeds/go" {
				w.click("follow")
				check("the feed of a tag that is followed")
				w.leave(microblog.URL + "/tags")
				w.awaitLive()
				w.await(`document.querySelector('[data-testid="post"]') !== null`)
				check("the tags that are followed")
			}
		}
		for _, path := range []string{"/no/such/page", "/posts/unknown"} {
			w.leave(microblog.URL + path)
			w.await(`document.querySelector('h1') !== null`)
			check(path)
		}
	}
}

// TestLinksFitOnAPhone tests that a narrow window shows all links of the header, and that no page is wider than it.
func TestLinksFitOnAPhone(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	writePosts(t, microblog, "phone", 3)
	for width, paths := range map[int64][]string{390: {"/", "/feeds/phone", "/two", "/live"}, 320: {"/"}, 680: {"/"}} {
		opened, err := browser.Open(microblog.URL, width, 800)
		require.NoError(t, err)
		w := &window{opened, t, fmt.Sprint(width, " pixels")}
		for _, path := range paths {
			require.NoError(t, w.Navigate(microblog.URL+path))
			w.awaitLive()
			w.await(`document.querySelectorAll('[data-testid="post"], [data-testid="way"]').length > 0`)
			outside := value[[]string](w, `[...document.querySelectorAll('.app-nav a, [data-testid="connection"]')].filter((element) => {
				const { left, right } = element.getBoundingClientRect()
				const row = (element.closest('.app-links') ?? document.documentElement).getBoundingClientRect()
				return left < row.left || right > row.right
			}).map((element) => element.textContent)`)
			require.Empty(t, outside, "%s at %s", path, w.name)
			require.LessOrEqual(t, value[int](w, `document.documentElement.scrollWidth`), int(width), "%s at %s", path, w.name)
		}
	}
}
