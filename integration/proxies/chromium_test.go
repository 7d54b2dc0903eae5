package proxies_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/internal/chrome"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestChromiumComesBack has an EventSource of Chromium outlive the restart of the app behind each proxy, and end without the
// documented configurations.
func TestChromiumComesBack(t *testing.T) {
	t.Parallel()
	for kind, start := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			port := servers.FreePort(t)
			app := startInstance(t, port, "before")
			browser, err := chrome.Start(context.WithoutCancel(t.Context()))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, browser.Close()) })
			survives := follow(t, browser, start(t, hurried(kind), port, servers.FreePort(t)))
			ends := follow(t, browser, start(t, config{suffix: "-plain"}, port))

			closeInstance(t, app)
			require.NoError(t, ends.Await("source.readyState == EventSource.CLOSED"))
			require.NoError(t, survives.Await("opened >= 3"), "empty streams")
			startInstance(t, port, "after")
			require.NoError(t, survives.Await("last.includes('after')"))
		})
	}
}

// follow opens a window that follows the state behind the proxy, with the number of connections in opened.
func follow(t *testing.T, browser *chrome.Browser, base string) *chrome.Window {
	t.Helper()
	window, err := browser.Open("about:blank", 640, 480)
	require.NoError(t, err)
	require.NoError(t, window.IgnoreCertificates())
	require.NoError(t, window.Navigate(base+"/ready"))
	_, err = chrome.Value[bool](window, `
		window.opened = 0
		window.last = ''
		window.source = new EventSource('/states/a')
		source.onopen = () => { opened++ }
		source.addEventListener('data', (event) => { last = event.data })
		true`)
	require.NoError(t, err)
	require.NoError(t, window.Await("last.includes('before')"))
	return window
}
