package browser_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/integration/browser/internal/site"
)

// writePosts writes posts with the titles "Post 1" and so on into a feed.
func writePosts(t *testing.T, microblog *site.Site, feed string, posts int) (written []api.Post) {
	t.Helper()
	for i := range posts {
		post, err := microblog.Write(t.Context(), site.Draft{Author: "Ann", Title: fmt.Sprint("Post ", i+1), Content: "#" + feed})
		require.NoError(t, err)
		written = append(written, post)
	}
	return written
}

// top is how far a card is below the top of the window.
func top(w *window, id string) float64 {
	w.t.Helper()
	return value[float64](w, `document.querySelector('[data-post=`+quote(id)+`]').getBoundingClientRect().top`)
}

// TestReadersAreNotMoved tests that new posts wait above what a reader has scrolled to, in a browser that does not keep the
// place by itself.
func TestReadersAreNotMoved(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	posts := writePosts(t, microblog, "read", 30)
	w := open(t, browser, "reader", microblog.URL+"/feeds/read")
	w.await(`document.querySelectorAll('[data-post]').length === 30`)
	require.True(t, value[bool](w, `document.documentElement.style.overflowAnchor = 'none', document.querySelector('[data-post=`+
		quote(posts[15].ID)+`]').scrollIntoView(), true`))
	w.await(`scrollY > 500`)
	before := top(w, posts[15].ID)

	writePosts(t, microblog, "read", 3)
	w.await(`document.querySelector('[data-testid="new-posts"]')?.textContent.includes('3 new posts')`)
	w.await(attribute("post-count", "count") + ` === '33'`)
	require.InDelta(t, before, top(w, posts[15].ID), 1)
	require.Equal(t, 30, value[int](w, `document.querySelectorAll('[data-post]').length`))

	w.click("new-posts")
	w.await(`document.querySelectorAll('[data-post]').length === 33 && document.querySelector('[data-testid="new-posts"]') === null`)
	require.NotEqual(t, "BODY", value[string](w, `document.activeElement.tagName`))
	w.requireNotReloaded()
}

// TestOlderPagesFollow tests that pages that were loaded show later edits and deletions, and are still there when the reader
// comes back.
func TestOlderPagesFollow(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	posts := writePosts(t, microblog, "old", 70)
	w := open(t, browser, "reader", microblog.URL+"/feeds/old")
	w.await(`document.querySelectorAll('[data-post]').length === 50`)
	w.click("load-older")
	w.await(`document.querySelectorAll('[data-post]').length === 70`)
	require.NotEqual(t, "BODY", value[string](w, `document.activeElement.tagName`), "after the button is gone")

	require.NoError(t, microblog.Change(t.Context(), http.MethodPatch, posts[2].ID, `{"title":"Edited"}`))
	w.await(`document.querySelector('[data-post=` + quote(posts[2].ID) + `] h3').textContent === 'Edited'`)
	require.NoError(t, microblog.Change(t.Context(), http.MethodDelete, posts[5].ID, ""))
	w.await(`document.querySelector('[data-post=` + quote(posts[5].ID) + `]') === null`)

	require.True(t, value[bool](w, `document.querySelector('[data-post=`+quote(posts[8].ID)+`]').scrollIntoView(), true`))
	w.await(`scrollY > 1000`)
	before := top(w, posts[8].ID)
	require.True(t, value[bool](w, `document.querySelector('.app-brand').click(), true`))
	w.await(`location.pathname === '/'`)
	require.True(t, value[bool](w, `history.back(), true`))
	w.await(`location.pathname === '/feeds/old' && document.querySelectorAll('[data-post]').length === 69`)
	w.await(fmt.Sprintf(`Math.abs(document.querySelector('[data-post=%s]').getBoundingClientRect().top - %f) < 2`, quote(posts[8].ID), before))
	w.requireNotReloaded()
}
