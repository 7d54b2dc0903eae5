package browser_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/rs/cors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/internal/chrome"
	"github.com/feedmill/feedmill/integration/ssestream/internal/stage"
	"github.com/feedmill/feedmill/integration/ssestream/internal/wire"
)

// TestCrossOriginEventSource has a page follow a stream of another origin while its connection is cut again and again.
// Whether it asks by a preflight before it sends Last-Event-ID is the browser's: Chromium does not. See TestPreflight for
// others.
func TestCrossOriginEventSource(t *testing.T) {
	t.Parallel()
	for name, wrapped := range stage.Writers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			show, site := stage.New(t), servePage(t, nil)
			server := stage.Serve(t, stage.AllowOrigin(site.URL).Handler(wrapped(show.Shared)))
			all := []wire.Sent{
				{Event: "data", HasID: true, Data: []byte("one")},
				{Event: "data", HasID: true, Data: []byte("two")},
				{Event: "data", HasID: true, Data: []byte("three")},
			}
			show.Show(t, all[0])
			window := page(t, site.URL)
			follow(t, window, server.URL, wire.Reading(all))
			for i := range all {
				require.NoError(t, window.Await(fmt.Sprintf("received.length === %d", i+1)))
				if i+1 == len(all) {
					break
				}
				server.Cut()
				returned := func() bool { return len(server.Requests(http.MethodGet)) == i+2 }
				require.Eventually(t, returned, time.Minute, 10*time.Millisecond, "after cut %d", i+1)
				require.NoError(t, window.Await("source.readyState === EventSource.OPEN"))
				show.Show(t, all[i+1])
			}

			received := value[[]wire.Received](t, window, "received")
			assert.Empty(t, wire.Difference(wire.Reading(all), received))
			for i, r := range server.Requests(http.MethodGet) {
				assert.Equal(t, site.URL, r.Origin)
				assert.Equal(t, []string{"", received[0].ID, received[1].ID}[i], r.LastEventID)
			}
			assert.True(t, value[bool](t, window, "source.close(), true"))
		})
	}
}

// TestOtherOriginsAreRefused by the middleware.
func TestOtherOriginsAreRefused(t *testing.T) {
	t.Parallel()
	show, site := stage.New(t), servePage(t, nil)
	server := stage.Serve(t, stage.AllowOrigin("https://app.example.com").Handler(show.Shared))
	window := page(t, site.URL)
	follow(t, window, server.URL, wire.Reading([]wire.Sent{{}}))
	require.NoError(t, window.Await("source.readyState === EventSource.CLOSED"))
	assert.Zero(t, value[int](t, window, "received.length"))
}

// TestCrossOriginFetch has a page read a stream of another origin by fetch, as clients do that set headers of their
// own: it may send Last-Event-ID only after a preflight has allowed it.
func TestCrossOriginFetch(t *testing.T) {
	t.Parallel()
	show, site := stage.New(t), servePage(t, nil)
	show.Show(t, wire.Sent{Event: "data", HasID: true, Data: []byte("two")})
	window := page(t, site.URL)

	server := stage.Serve(t, stage.AllowOrigin(site.URL).Handler(show.Shared))
	assert.Regexp(t, `event: data\nid: [\w-]{16}\ndata: two\n\n`, resume(t, window, server.URL))
	assert.Equal(t, []stage.Request{{Method: http.MethodOptions, Origin: site.URL, Preflight: "last-event-id"}},
		server.Requests(http.MethodOptions))
	assert.Equal(t, []stage.Request{{Method: http.MethodGet, Origin: site.URL, LastEventID: "v1"}},
		server.Requests(http.MethodGet))

	// The header's name has to be among what is allowed.
	server = stage.Serve(t, cors.New(cors.Options{AllowedOrigins: []string{site.URL}}).Handler(show.Shared))
	assert.Contains(t, resume(t, window, server.URL), "failed: TypeError")
	assert.Empty(t, server.Requests(http.MethodGet))
}

// resume returns the first bytes of the stream for a client that has "v1".
func resume(t *testing.T, window *chrome.Window, url string) string {
	t.Helper()
	require.True(t, value[bool](t, window, fmt.Sprintf("resume(%s, 'v1')", quote(t, url))))
	require.NoError(t, window.Await("fetched !== null"))
	return value[string](t, window, "fetched")
}
