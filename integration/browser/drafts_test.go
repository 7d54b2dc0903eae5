package browser_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/browser/internal/site"
)

// TestDraftsStay tests that what was typed is there again after another page and after a reload.
func TestDraftsStay(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	post, err := microblog.Write(t.Context(), site.Draft{Author: "Ann", Title: "A", Content: "#go"})
	require.NoError(t, err)
	w := open(t, browser, "writer", microblog.URL)
	content := `document.querySelector('[data-testid="post-content"]')?.value`
	require.False(t, w.warns())
	w.fill("post-content", "half a thought")
	require.True(t, w.warns())
	require.True(t, value[bool](w, `document.querySelector('[data-feed="go"]').click(), true`))
	w.await(content + ` === '#go '`)
	require.True(t, value[bool](w, `history.back(), true`))
	w.await(content + ` === 'half a thought'`)

	w.leave(microblog.URL + "/posts/" + post.ID)
	w.fill("post-title", "Half a title")
	w.leave(microblog.URL)
	w.await(content + ` === 'half a thought'`)
	w.leave(microblog.URL + "/posts/" + post.ID)
	w.await(`document.querySelector('[data-testid="post-title"]')?.value === 'Half a title'`)
}

// TestEditsAreMerged tests an edit while somebody else edits and deletes the post.
func TestEditsAreMerged(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	post, err := microblog.Write(t.Context(), site.Draft{Author: "Ann", Title: "Title", Content: "one two three #go"})
	require.NoError(t, err)
	change := func(method, body string) {
		t.Helper()
		require.NoError(t, microblog.Change(t.Context(), method, post.ID, body))
	}
	w := open(t, browser, "editor", microblog.URL+"/posts/"+post.ID)
	field := func(name string) string { return `document.querySelector('[data-testid="post-` + name + `"]').value` }

	// They change the other field.
	w.fill("post-title", "My title")
	change(http.MethodPatch, `{"content":"one 2 three #go"}`)
	w.await(field("content") + ` === 'one 2 three #go' && ` + field("title") + ` === 'My title'`)
	w.await(`document.querySelector('[data-testid="conflict"]') === null`)
	w.click("post-submit")
	w.await(`document.querySelector('[data-testid="post-version"]').textContent === '3'`)

	// They change the same field, and the other one too.
	w.fill("post-content", "one 2 THREE #go")
	change(http.MethodPatch, `{"content":"one 2 four #go","title":"Their title"}`)
	w.await(`document.querySelector('[data-testid="conflict-mine"] mark')?.textContent === 'THREE'`)
	require.Equal(t, "four", value[string](w, `document.querySelector('[data-testid="conflict-theirs"] mark').textContent`))
	w.click("keep-mine")
	w.await(field("content") + ` === 'one 2 THREE #go' && ` + field("title") + ` === 'Their title'`)
	w.click("post-submit")
	w.await(`document.querySelector('[data-testid="post-version"]').textContent === '5'`)

	// They delete the post.
	w.fill("post-content", "too late #go")
	change(http.MethodDelete, "")
	w.await(`document.querySelector('[data-testid="post-ended"]') !== null`)
	require.NoError(t, w.PressControl("\r"))
	list := open(t, browser, "list", microblog.URL)
	list.await(`document.querySelectorAll('[data-post]').length === 0`)
	w.click("post-as-new")
	list.await(titles + ` === '["Their title"]'`)
	w.await(`location.pathname.startsWith('/posts/') && !location.pathname.endsWith(` + quote(post.ID) + `)`)
	w.requireNotReloaded()
}
