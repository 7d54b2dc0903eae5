package browser_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/browser/internal/site"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestOffline tests a page whose network is cut while it is open.
func TestOffline(t *testing.T) {
	t.Parallel()
	browser := newBrowser(t)
	goOffline(t, func(url string) page { return open(t, browser, "offline", url) })
}

// page is what the windows of all browsers have in common.
type page interface {
	await(expression string)
	awaitStatus(status string)
	fill(testID, text string)
	click(testID string)
	setOffline(offline bool) (can bool)
}

// goOffline writes in a page without a network, and sends it when the network is back. The page then shows what others have
// written meanwhile, too.
func goOffline(t *testing.T, openPage func(url string) page) {
	t.Helper()
	microblog := startSite(t, "127.0.0.1:0", t.TempDir())
	defer func() { require.NoError(t, microblog.Stop()) }()
	network, err := ssestreamtest.StartProxy(microblog.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, network.Close()) }()
	write := func(content string) {
		_, err := microblog.Write(t.Context(), site.Draft{Author: "Bob", Content: content})
		require.NoError(t, err)
	}
	const (
		draft   = "Written on a train, #offline"
		typed   = `document.querySelector('[data-testid="post-content"]').value`
		failure = `document.querySelector('[aria-label="New post"] [role="alert"]')?.textContent.trim()`
	)

	write("Before, #offline")
	p := openPage(network.URL() + "/feeds/offline")
	p.awaitStatus("live")
	p.await(titles + ` === '["Before, #offline"]'`)
	p.await(`(window.mark = 'not reloaded', true)`)
	two := openPage(network.URL() + "/two")
	say := func(status string) string {
		return `[...document.querySelectorAll('[data-status]')].map(({ dataset }) => dataset.status).join() === ` + quote(status+","+status)
	}
	two.await(say("live"))

	network.Set(ssestreamtest.Faults{Refuse: true})
	lost := "reconnecting"
	if two.setOffline(true) {
		lost = "offline"
	}
	network.Reset()
	two.await(say(lost))
	p.awaitStatus("reconnecting") // its connection is that of a worker, which the browser does not tell
	write("Meanwhile, #offline")
	p.fill("post-author", "Ada")
	p.fill("post-content", draft)
	p.click("post-submit")
	p.await(failure + ` === 'The server cannot be reached.'`)
	p.await(typed + ` === ` + quote(draft))
	p.await(titles + ` === '["Before, #offline"]'`)

	network.Set(ssestreamtest.Faults{})
	two.setOffline(false)
	two.await(say("live"))
	p.awaitStatus("live")
	p.await(titles + ` === '["Meanwhile, #offline","Before, #offline"]'`)
	p.click("post-submit")
	p.await(titles + ` === ` + quote(quote([]string{draft, "Meanwhile, #offline", "Before, #offline"})))
	p.await(typed + ` === '#offline '`)
	p.await(failure + ` === undefined && window.mark === 'not reloaded'`)
}
