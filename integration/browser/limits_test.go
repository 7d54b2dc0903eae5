package browser_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/integration/browser/internal/site"
)

// TestLargePostsAreShown: a feed whose posts are at the limits follows along, and leads to the older ones.
func TestLargePostsAreShown(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	feed := open(t, browser, "feed", microblog.URL+"/feeds/large")
	const posts = 40 // over a megabyte
	for i := range posts {
		_, err := microblog.Write(t.Context(), site.Draft{
			Author: "Ann", Title: fmt.Sprint("Post ", i), Content: "#large " + strings.Repeat("日", 9_990),
		})
		require.NoError(t, err)
	}
	shown := `document.querySelectorAll('[data-testid="post"]').length`
	newest := `document.querySelector('[data-testid="post"] h3')?.textContent === ` + quote(fmt.Sprint("Post ", posts-1))
	feed.await(newest)
	feed.await(attribute("post-count", "count") + " === " + quote(quote(posts)))
	fresh := open(t, browser, "fresh", microblog.URL+"/feeds/large")
	fresh.await(newest)
	for value[int](fresh, shown) < posts {
		before := value[int](fresh, shown)
		fresh.click("load-older")
		fresh.await(fmt.Sprintf("%s > %d", shown, before))
	}
	for _, w := range []*window{feed, fresh} {
		w.awaitLive()
		w.requireNotReloaded()
	}
}

// TestManyFeedsAreListed: the list goes on where its beginning ends, and leads to feeds that are not loaded.
func TestManyFeedsAreListed(t *testing.T) {
	t.Parallel()
	microblog, browser := newSite(t), newBrowser(t)
	list := open(t, browser, "list", microblog.URL)
	const posts, tags = 5, 50
	for i := range posts {
		content := ""
		for tag := range tags {
			content += fmt.Sprintf("#tag%d%02d ", i, tag)
		}
		_, err := microblog.Write(t.Context(), site.Draft{Author: "Ann", Title: "Tags", Content: content})
		require.NoError(t, err)
	}
	list.awaitFeed("tag000", 1)
	list.awaitFeed("tag349", 1)
	list.awaitFeed("tag400", 0)
	list.click("more-feeds")
	list.awaitFeed("tag449", 1)
	list.await(`document.querySelectorAll('[data-testid="feed"]').length === ` + quote(posts*tags))
	list.await(`document.querySelector('[data-testid="more-feeds"]') === null`)

	fresh := open(t, browser, "fresh", microblog.URL)
	fresh.awaitFeed("tag000", 1)
	require.NoError(t, fresh.Type("find-feed", "#TAG444"))
	fresh.click("open-feed")
	fresh.awaitPosts("Tags")
	list.awaitLive()
	list.requireNotReloaded()
}

// TestAPageSaysThatItIsOutOfDate writes a post that no page can be sent, which the API would refuse.
func TestAPageSaysThatItIsOutOfDate(t *testing.T) {
	t.Parallel()
	dir, browser := t.TempDir(), newBrowser(t)
	microblog := startSite(t, "127.0.0.1:0", dir)
	t.Cleanup(func() { require.NoError(t, microblog.Stop()) })
	_, err := microblog.Write(t.Context(), site.Draft{Author: "Ann", Title: "First", Content: "#go"})
	require.NoError(t, err)
	feed := open(t, browser, "feed", microblog.URL+"/feeds/go")
	feed.awaitPosts("First")

	posts := largePosts(t, dir)
	_, err = posts.Create(t.Context(), "huge", post.Post{Content: strings.Repeat("x", 2<<20), Tags: []string{"go"}})
	require.NoError(t, err)
	notice := `document.querySelector('[data-testid="problem"]')`
	feed.awaitStatus("outdated")
	feed.await(notice + ` !== null`)
	feed.awaitPosts("First")
	feed.awaitFeed("go", 2) // the list is another stream, which goes on

	_, err = posts.Delete(t.Context(), "huge")
	require.NoError(t, err)
	feed.awaitLive()
	feed.await(notice + ` === null`)
	feed.awaitPosts("First")
	feed.awaitFeed("go", 1)
	feed.requireNotReloaded()
}

// largePosts opens the write model of the microblog in a folder beside it. It takes posts that are too large for the
// microblog's own.
func largePosts(t *testing.T, dir string) cqrsfeed.Repository[post.Post] {
	t.Helper()
	db, err := sql.Open("sqlite", sqlitestore.DSN(filepath.Join(dir, "microblog.db")))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store, err := sqlitestore.New(db, sqlitestore.Config{MaxEventBytes: limits.MaxEventBytes})
	require.NoError(t, err)
	posts, err := sqlitestore.NewRepository[post.Post](store, api.Kind)
	require.NoError(t, err)
	return posts
}
