package browser_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/demo"
)

// TestLiveShowsTheWayOfAPost: a post that somebody writes in another window appears with a time at every station, and with the
// time at which this window painted it.
func TestLiveShowsTheWayOfAPost(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	w := open(t, browser, "live", microblog.URL+"/live")
	w.await(`document.querySelectorAll('[data-testid^="station-"]').length === 9`) // eight, and the detail
	requireStreams(t, microblog, 1)

	w.click("live-write")
	w.await(`document.querySelector('[data-testid="way"] [data-step="painted"]')?.textContent.includes('ms')`)
	require.Equal(t, 1, value[int](w, `document.querySelectorAll('[data-testid="way"]').length`))
	passed := 0.
	for _, station := range []string{"write", "outbox", "relay", "projector", "feeds", "router"} {
		spent := w.number(`document.querySelector('[data-testid="way"] [data-step="` + station + `"]').firstChild.textContent`)
		require.GreaterOrEqual(t, spent, 0., station)
		passed += spent
	}
	require.Positive(t, passed)
	painted := w.number(`document.querySelector('[data-testid="way"] [data-step="painted"]').textContent`)
	require.Greater(t, painted, passed-1, "painted after all of it, but for rounding")
	require.Less(t, painted, 10_000.)
	w.await(`document.querySelector('[data-testid="gauge-outbox"]').textContent.startsWith('0 waiting')`)

	w.click("station-projector")
	w.await(`document.querySelector('[data-testid="station-detail"]').textContent.includes('cqrsfeed/tagfeeds.go: TagFeeds.Apply')`)
	w.requireNotReloaded()
}

// number returns the number at the beginning of a text.
func (w *window) number(expression string) float64 {
	w.t.Helper()
	text := value[string](w, "String(parseFloat("+expression+"))")
	n, err := strconv.ParseFloat(text, 64)
	require.NoError(w.t, err, expression)
	return n
}

// TestLoadInTheBrowser ends by itself, and the window shows every post that was accepted.
func TestLoadInTheBrowser(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	w := open(t, browser, "live", microblog.URL+"/live")
	w.click("load-20")
	w.await(attribute("report", "phase") + ` === "writing"`)
	requireStreams(t, microblog, 21)
	w.awaitDone("load")
	requireStreams(t, microblog, 1)
}

// TestFaultsInTheBrowser breaks everything that can be broken, one after the other in one window.
func TestFaultsInTheBrowser(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	w := open(t, browser, "live", microblog.URL+"/live")
	for _, fault := range demo.Faults() {
		w.click("fault-" + fault)
		w.awaitDone(fault)
		require.Contains(t, value[string](w, `document.querySelector('[data-testid="report"]').textContent`), "The fault:", fault)
	}
	w.requireNotReloaded()
}

// awaitDone waits until a demonstration is over, and requires that nothing was lost.
func (w *window) awaitDone(name string) {
	w.t.Helper()
	w.await(attribute("report", "name") + ` === ` + quote(name) + ` && ` + attribute("report", "phase") + ` === "done"`)
	accepted := w.number(`document.querySelector('[data-testid="accepted"]').textContent`)
	require.Greater(w.t, accepted, 20., name)
	w.await(`document.querySelector('[data-testid="shown"]').textContent === document.querySelector('[data-testid="accepted"]').textContent`)
	require.Zero(w.t, w.number(`document.querySelector('[data-testid="lost"]').textContent`), name)
	require.Equal(w.t, "0", value[string](w, attribute("audit", "drifts")), name)
}
