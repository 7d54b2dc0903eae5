package browser_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/browser/internal/site"
)

// TestCommandsCanBeCancelled tests that a user can take back what the server has not answered, and send it again.
func TestCommandsCanBeCancelled(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	w := open(t, browser, "Ann", microblog.URL)
	send := func(testID string) (drop func() error) {
		t.Helper()
		drop, err := w.ClickAndHold(testID, "*/api/posts*")
		require.NoError(t, err)
		return drop
	}
	isBusy := func(testID, busy string) {
		t.Helper()
		w.await(`document.querySelector('[data-testid="` + testID + `"]')?.ariaBusy === '` + busy + `'`)
	}

	// A new post: the text is still there.
	w.fill("post-author", "Ann")
	w.fill("post-content", "Only once, #held")
	drop := send("post-submit")
	isBusy("post-submit", "true")
	w.click("post-cancel")
	isBusy("post-submit", "false")
	require.Equal(t, "Only once, #held", value[string](w, `document.querySelector('[data-testid="post-content"]').value`))
	require.Empty(t, value[string](w, `document.querySelector('.alert')?.textContent ?? ''`))
	require.NoError(t, drop())
	w.click("post-submit")
	w.await(titles + ` === '["Only once, #held"]'`)

	// A change.
	w.click("posted-title")
	w.fill("post-title", "Changed")
	drop = send("post-submit")
	isBusy("post-submit", "true")
	w.click("post-cancel")
	isBusy("post-submit", "false")
	require.NoError(t, drop())
	w.await(`document.querySelector('[data-testid="edit-status"]').textContent.includes('Unsaved')`)

	// A deletion.
	w.click("post-delete")
	drop = send("post-delete-confirm")
	isBusy("post-delete-confirm", "true")
	w.click("post-delete-keep")
	w.await(`document.activeElement.dataset.testid === 'post-delete'`)
	require.NoError(t, drop())
	w.click("post-submit")
	w.await(`document.querySelector('[data-testid="post-version"]').textContent === '2'`)
	require.True(t, value[bool](w, `document.querySelector('.back-link').click(), true`))
	w.await(titles + ` === '["Changed"]'`)
	w.requireNotReloaded()
}

// TestFocusStaysInTheList tests where the focus goes from a card that is removed.
func TestFocusStaysInTheList(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	posts := writePosts(t, microblog, "focus", 4)
	w := open(t, browser, "reader", microblog.URL+"/feeds/focus")
	awaitFocus := func(id, why string) {
		t.Helper()
		w.await(`document.activeElement.dataset.post === ` + quote(id) + ` /* ` + why + ` */`)
	}

	w.deletePost()
	awaitFocus(posts[2].ID, "the card that takes the place of the one that was deleted here")
	require.True(t, value[bool](w, `document.querySelector('[data-post=`+quote(posts[1].ID)+`] [data-testid="post-menu"]').focus(), true`))
	require.NoError(t, microblog.Change(t.Context(), http.MethodDelete, posts[1].ID, ""))
	awaitFocus(posts[0].ID, "the card that takes the place of the one that somebody else deleted")
	require.NoError(t, microblog.Change(t.Context(), http.MethodDelete, posts[0].ID, ""))
	awaitFocus(posts[2].ID, "the last card, after the one below it was deleted")
	require.NoError(t, microblog.Change(t.Context(), http.MethodDelete, posts[2].ID, ""))
	w.await(`document.activeElement.id === 'main'`)

	// The focus elsewhere stays there.
	w.fill("post-author", "Ann")
	post, err := microblog.Write(t.Context(), site.Draft{Author: "Bob", Title: "Short-lived", Content: "#focus"})
	require.NoError(t, err)
	w.awaitPosts("Short-lived")
	require.NoError(t, microblog.Change(t.Context(), http.MethodDelete, post.ID, ""))
	w.awaitPosts()
	require.Equal(t, "post-author", value[string](w, `document.activeElement.dataset.testid`))
	w.requireNotReloaded()
}
