package browser_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/browser/internal/site"
)

// TestMyTags follows tags by the pages of their feeds, and sees their posts live in one list, in this window and in another.
func TestMyTags(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	reader := open(t, browser, "reader", microblog.URL+"/tags")
	reader.await(`document.querySelector('.layout-posts').textContent.includes('press Follow')`)
	follow := func(tag, says string) {
		t.Helper()
		require.NoError(t, reader.Navigate(microblog.URL+"/feeds/"+tag))
		reader.await(`document.querySelector('[data-testid="follow"]') !== null`)
		reader.click("follow")
		reader.await(`document.querySelector('[data-testid="follow"]').textContent.startsWith(` + quote(says) + `)`)
	}
	write := func(title, content string) {
		t.Helper()
		_, err := microblog.Write(t.Context(), site.Draft{Author: "Ada", Title: title, Content: content})
		require.NoError(t, err)
	}
	follow("coffee", "Unfollow")
	follow("tea", "Unfollow")

	// Both windows follow the same tags, so the server has two streams: that of these tags, and that of the list of feeds.
	require.NoError(t, reader.Navigate(microblog.URL+"/tags"))
	reader.awaitLive()
	reader.mark()
	tab, closeTab, err := reader.OpenTab(microblog.URL + "/tags")
	require.NoError(t, err)
	other := &window{tab, t, "other"}
	other.awaitLive()
	both := func(want string) {
		t.Helper()
		for _, w := range []*window{reader, other} {
			w.await(titles + ` === ` + quote(want))
		}
	}
	both(`[]`)
	require.Eventually(t, func() bool { return microblog.Stats().Rooms == 2 }, time.Minute, 10*time.Millisecond, "streams that were left end")
	write("One", "#coffee")
	both(`["One"]`)
	write("Two", "#tea")
	both(`["Two","One"]`)
	write("Three", "#tea after #coffee")
	write("Another", "#water")
	write("Four", "#coffee")
	both(`["Four","Three","Two","One"]`)
	reader.requireNotReloaded()

	// A post of its own form, which says when it was shown.
	reader.post("Five", "#tea")
	both(`["Five","Four","Three","Two","One"]`)
	reader.await(saysWhen)

	// The other window has the tag no longer, without a reload.
	other.mark()
	follow("coffee", "Follow")
	other.await(titles + ` === '["Five","Three","Two"]'`)
	require.NoError(t, reader.Navigate(microblog.URL+"/tags"))
	both(`["Five","Three","Two"]`)
	write("Six", "#coffee")
	write("Seven", "#tea")
	both(`["Seven","Five","Three","Two"]`)
	other.requireNotReloaded()
	require.NoError(t, closeTab())
}
