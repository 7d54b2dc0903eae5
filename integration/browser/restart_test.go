package browser_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/browser/internal/site"
)

// TestWindowsReturnAfterRestart tests that open windows reconnect after an outage and show what they missed.
func TestWindowsReturnAfterRestart(t *testing.T) {
	t.Parallel()
	dataDir := t.TempDir()
	microblog := startSite(t, "127.0.0.1:0", dataDir)
	address := strings.TrimPrefix(microblog.URL, "http://")
	browser := newBrowser(t)
	list := open(t, browser, "list", microblog.URL)
	feed := open(t, browser, "feed", microblog.URL+"/feeds/outage")
	feed.awaitPosts()

	require.NoError(t, microblog.Stop())
	list.awaitStatus("reconnecting")
	feed.awaitStatus("reconnecting")

	// Another microblog with the same files, on an address that the windows do not use.
	elsewhere := startSite(t, "127.0.0.1:0", dataDir)
	_, err := elsewhere.Write(t.Context(), site.Draft{Author: "night shift", Title: "Meanwhile", Content: "Nobody looked: #outage"})
	require.NoError(t, err)
	require.NoError(t, elsewhere.Stop())

	microblog = startSite(t, address, dataDir)
	t.Cleanup(func() { require.NoError(t, microblog.Stop()) })
	list.awaitLive()
	list.awaitFeed("outage", 1)
	feed.awaitLive()
	feed.awaitPosts("Meanwhile")
	requireStreams(t, microblog, 2)

	// The windows continue to follow.
	_, err = microblog.Write(t.Context(), site.Draft{Author: "day shift", Title: "Back again", Content: "All of it is there #outage"})
	require.NoError(t, err)
	list.awaitFeed("outage", 2)
	feed.awaitPosts("Back again", "Meanwhile")
	for _, w := range []*window{list, feed} {
		w.requireNotReloaded()
	}
}
