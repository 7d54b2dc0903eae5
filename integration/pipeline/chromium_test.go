package pipeline_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/stack"
	"github.com/feedmill/feedmill/integration/internal/chrome"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestChromiumAtTwoInstances has a window at each of two microblogs that have nothing but a PostgreSQL. Each shows what the
// other writes, changes and deletes.
func TestChromiumAtTwoInstances(t *testing.T) {
	t.Parallel()
	where := servedBy(stack.Config{PostgresDSN: servers.Postgres(t)})
	one, other := newSite(t, where), newSite(t, where)
	browser, err := chrome.Start(context.WithoutCancel(t.Context()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, browser.Close()) })
	here, there := openWindow(t, browser, one.url), openWindow(t, browser, other.url+"/feeds/coffee")
	require.NoError(t, here.Type("post-content", "First cup: #coffee"))
	require.NoError(t, here.Type("post-author", "Ada"))
	require.NoError(t, here.Click("post-submit"))
	awaitContents(t, there, "First cup: #coffee")

	other.create(t, "second cup: #coffee")
	require.NoError(t, here.Navigate(one.url+"/feeds/coffee"))
	awaitContents(t, here, "second cup: #coffee", "First cup: #coffee")
	require.NoError(t, there.Click("post-menu"))
	require.NoError(t, there.Click("post-delete"))
	require.NoError(t, there.Click("post-delete-confirm"))
	awaitContents(t, here, "First cup: #coffee")
	awaitContents(t, there, "First cup: #coffee")
}

func openWindow(t *testing.T, browser *chrome.Browser, url string) *chrome.Window {
	t.Helper()
	window, err := browser.Open(url, 1280, 900)
	require.NoError(t, err)
	require.NoError(t, window.Await(`document.querySelector('[data-testid="connection"]').dataset.status === 'live'`))
	return window
}

// awaitContents waits until a window shows exactly these posts.
func awaitContents(t *testing.T, window *chrome.Window, contents ...string) {
	t.Helper()
	want := ""
	for _, content := range contents {
		want += content + "|"
	}
	require.NoError(t, window.Await(`[...document.querySelectorAll('[data-testid="post"] .post-content')].map((c) => c.textContent + '|').join('') === '`+want+`'`))
}
