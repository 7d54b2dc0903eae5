package browser_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTwoWindows tests the page with two windows: what one writes the other shows and measures, and a window that was cut
// catches up.
func TestTwoWindows(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	w := open(t, browser, "two", microblog.URL+"/two")
	requireStreams(t, microblog, 2)
	follower := `document.querySelectorAll('.mini-window')[1]`
	shown := `JSON.stringify([...` + follower + `.querySelectorAll('[data-testid="post"] .post-content')].map((content) => content.textContent))`

	w.fill("post-author", "Ada")
	w.fill("post-content", "One")
	require.NoError(t, w.PressControl("\r"))
	w.await(shown + ` === '["One"]'`)
	w.await(attribute("median", "measured") + ` === '1'`)
	took := value[float64](w, `parseFloat(document.querySelector('[data-testid="latency"]').textContent)`)
	require.Positive(t, took)
	require.Less(t, took, 5_000.0)

	w.click("cut")
	requireStreams(t, microblog, 1)
	for _, content := range []string{"Two", "Three"} {
		w.fill("post-content", content)
		require.NoError(t, w.PressControl("\r"))
		w.await(`document.querySelector('[data-testid="posted"]').textContent.includes(` + quote(content) + `)`)
	}
	w.await(`document.querySelector('[data-testid="cut-notice"]').textContent.includes('2 posts missed')`)
	require.True(t, value[bool](w, shown+` === '["One"]'`), "a window that was cut shows the last state")

	w.click("cut")
	w.await(shown + ` === '["Three","Two","One"]'`)
	w.await(`/Caught up on 2 posts\s+\d+ ms/.test(document.querySelector('[data-testid="cut-notice"]').textContent)`)
	require.Equal(t, "1", value[string](w, attribute("median", "measured")), "what was missed is not measured")

	// The connections end with the page.
	w.await(`(document.querySelector('.app-brand').click(), true)`)
	w.await(`location.pathname === '/'`)
	requireStreams(t, microblog, 1)
	w.requireNotReloaded()
}
