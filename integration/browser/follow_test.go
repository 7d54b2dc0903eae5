package browser_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWindowsFollowEachOther tests that other windows show what one window creates, changes and deletes.
func TestWindowsFollowEachOther(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)

	writer := open(t, browser, "writer", microblog.URL)
	list := open(t, browser, "list", microblog.URL)
	feed := open(t, browser, "feed", microblog.URL+"/feeds/coffee")
	feed.awaitPosts()
	requireStreams(t, microblog, 3)

	writer.post("Morning", "First cup, first commit: #coffee #go")
	list.awaitFeed("coffee", 1)
	list.awaitFeed("go", 1)
	feed.awaitPosts("Morning")

	writer.post("Noon", "The second #Coffee, and then #go")
	list.awaitFeed("coffee", 2)
	feed.awaitPosts("Noon", "Morning")

	// The writer opens the second post by the link in the notice, without a reload.
	writer.click("posted-title")
	writer.await(attribute("connection", "status") + ` === "live" && location.pathname.startsWith('/posts/')`)
	requireStreams(t, microblog, 3)
	writer.fill("post-title", "Afternoon")
	writer.click("post-submit")
	feed.awaitPosts("Afternoon", "Morning")

	writer.await(`document.querySelector('[data-testid="post-version"]').textContent === "2"`)
	writer.fill("post-content", "Only water now, and #go. #tea tomorrow")
	writer.click("post-submit")
	feed.awaitPosts("Morning")
	list.awaitFeed("coffee", 1)
	list.awaitFeed("go", 2)
	list.awaitFeed("tea", 1)

	writer.deletePost()
	list.awaitFeed("tea", 0)
	list.awaitFeed("go", 1)
	writer.await(`location.pathname === '/'`)
	writer.awaitLive()

	// The last post is deleted on the page of the feed.
	feed.deletePost()
	feed.awaitPosts()
	list.awaitFeed("coffee", 0)
	list.awaitFeed("go", 0)

	requireStreams(t, microblog, 3)
	for _, w := range []*window{writer, list, feed} {
		w.awaitLive()
		w.requireNotReloaded()
	}
}

// TestRandomPostReachesOtherWindows tests the button that creates a random post.
func TestRandomPostReachesOtherWindows(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	writer := open(t, browser, "writer", microblog.URL)
	list := open(t, browser, "list", microblog.URL)

	writer.click("post-random")
	links := `[...document.querySelectorAll('[data-testid="post"] .post-content a')]`
	writer.await(links + `.length > 0`)
	tags := value[[]string](writer, links+`.map((link) => link.textContent.slice(1))`)
	require.NotEmpty(t, tags)
	for _, tag := range tags {
		list.awaitFeed(tag, 1)
	}
	list.await(`document.querySelectorAll('[data-testid="feed"]').length === ` + quote(len(tags)))
	list.requireNotReloaded()
	requireStreams(t, microblog, 2)
}
