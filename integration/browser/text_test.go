package browser_test

import (
	"bytes"
	"image"
	_ "image/png"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/browser/internal/site"
)

// TestTextHasItsOwnDirection tests that a text runs from right to left if its language does, and turns nothing around it.
func TestTextHasItsOwnDirection(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	// U+202E makes all that follows run from right to left.
	post, err := microblog.Write(t.Context(), site.Draft{Author: "Ada\u202e", Title: "שלום, Ada", Content: "left to right"})
	require.NoError(t, err)
	w := open(t, browser, "reader", microblog.URL)
	w.await(`document.querySelector('[data-testid="post"] h3') !== null`)
	requireForward := func(element string) {
		t.Helper()
		require.True(t, value[bool](w, `(() => {
			const text = document.querySelector(`+quote(element)+`).firstChild
			const at = (index) => {
				const range = document.createRange()
				range.setStart(text, index)
				range.setEnd(text, index + 1)
				return range.getBoundingClientRect().left
			}
			return at(0) < at(text.data.length - 1)
		})()`), element)
	}
	direction := func(element string) string {
		t.Helper()
		return value[string](w, `getComputedStyle(document.querySelector(`+quote(element)+`)).direction`)
	}

	requireForward(`[data-testid="post"] time`)
	require.Equal(t, "rtl", direction(`[data-testid="post"] h3`))
	require.Equal(t, "ltr", direction(`[data-testid="post"] .post-content`))

	w.leave(microblog.URL + "/posts/" + post.ID)
	w.await(`document.querySelector('[data-testid="post-title"]') !== null`)
	requireForward(`header time`)
	require.Equal(t, "rtl", direction(`[data-testid="post-title"]`))
	require.Equal(t, "ltr", direction(`[data-testid="post-content"]`))
}

// TestNoWhiteFlash tests that the page is dark in the dark scheme before its script has come, and before its style has.
func TestNoWhiteFlash(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	load := func(held string) (w *window, release func() error) {
		t.Helper()
		opened, err := browser.Open("about:blank", 640, 480)
		require.NoError(t, err)
		w = &window{opened, t, "without " + held}
		require.NoError(t, w.PreferDark(true))
		release, err = w.HoldRequests(held)
		require.NoError(t, err)
		// Navigate would wait until the page is loaded, and it is not without its script.
		require.True(t, value[bool](w, `location.href = `+quote(microblog.URL)+`, true`))
		return w, release
	}

	w, release := load("*/assets/*.js")
	w.await(`getComputedStyle(document.documentElement).getPropertyValue('--app-background') !== ''`)
	picture, err := w.Screenshot()
	require.NoError(t, err)
	shown, _, err := image.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	for _, at := range []image.Point{{10, 10}, {320, 240}, {630, 470}} {
		red, green, blue, _ := shown.At(at.X, at.Y).RGBA()
		require.Less(t, max(red, green, blue), uint32(0x4000), "at %s", at)
	}
	require.NoError(t, release())
	w.awaitLive()

	// Without a style the browser paints nothing but its canvas.
	w, release = load("*/assets/*")
	w.await(`document.getElementById('app')?.textContent === ''`)
	require.True(t, value[bool](w, `document.getElementById('app').style.background = 'Canvas', true`))
	require.Equal(t, "rgb(18, 18, 18)", value[string](w, `getComputedStyle(document.getElementById('app')).backgroundColor`))
	require.NoError(t, release())
	w.awaitLive()
}
