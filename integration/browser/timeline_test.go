package browser_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/browser/internal/site"
)

// titles is what the posts of a page are, newest first.
const titles = `JSON.stringify([...document.querySelectorAll('[data-testid="post"]')].map(
	(post) => (post.querySelector('h3') ?? post.querySelector('.post-content')).textContent))`

// saysWhen is true when a page says after how many milliseconds it showed the post that was written there.
const saysWhen = `parseFloat(document.querySelector('[data-testid="took"]')?.textContent.replace(/\D+/, '')) > 0`

// TestTimelineHasAllPosts tests that a post without a title appears on the page that wrote it, by the keyboard alone.
func TestTimelineHasAllPosts(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	home := open(t, browser, "home", microblog.URL)
	home.fill("post-author", "Ada")
	home.fill("post-content", "No title, #Two and #two tags")
	home.await(`[...document.querySelectorAll('[data-testid="post-tags"] li')].map((tag) => tag.textContent).join() === '#two'`)
	require.NoError(t, home.PressControl("\r"))
	home.await(titles + ` === '["No title, #Two and #two tags"]'`)
	home.await(`document.activeElement.dataset.testid === 'post-content' && document.activeElement.value === ''`)
	home.awaitFeed("two", 1)
	home.await(saysWhen)

	_, err := microblog.Write(t.Context(), site.Draft{Author: "Bob", Title: "From elsewhere", Content: "without a tag"})
	require.NoError(t, err)
	home.await(titles + ` === '["From elsewhere","No title, #Two and #two tags"]'`)
	home.await(`document.querySelector('[data-testid="arrivals"]').textContent !== ''`)

	// The author is known the next time. The form on the page of a feed has its tag.
	feed := open(t, browser, "feed", microblog.URL+"/feeds/two")
	require.Equal(t, "#two ", value[string](feed, `document.querySelector('[data-testid="post-content"]').value`))
	require.NoError(t, home.Navigate(microblog.URL+"/feeds/two"))
	home.awaitLive()
	require.Equal(t, "Ada", value[string](home, `document.querySelector('[data-testid="post-author"]').value`))
	home.click("post-submit")
	feed.await(titles + ` === '["#two","No title, #Two and #two tags"]'`)
	home.await(saysWhen)
}

// TestBurst tests the button that writes five posts a second until it is pressed again.
func TestBurst(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	home := open(t, browser, "home", microblog.URL)
	home.click("post-burst")
	home.await(`document.querySelectorAll('[data-testid="post"]').length >= 5`)
	home.await(`document.querySelector('.activity-line path:not(.activity-ground)') !== null`)
	home.click("post-burst")
	home.await(`document.querySelector('[data-testid="post-burst"]').ariaPressed === 'false'`)
	home.requireNotReloaded()
}
