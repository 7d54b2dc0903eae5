package browser_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/internal/chrome"
	"github.com/feedmill/feedmill/integration/ssestream/internal/stage"
	"github.com/feedmill/feedmill/integration/ssestream/internal/wire"
)

// TestEventSource has an EventSource read the corpus, as a typed adapter sends it and as one for the stock router.
func TestEventSource(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"shared", "plain"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			show, corpus := stage.New(t), wire.Corpus()
			handler := show.Shared
			if kind == "plain" {
				handler = show.Plain
				for i := range corpus {
					corpus[i].HasID = false
				}
			}
			window := page(t, servePage(t, handler).URL)
			want := wire.Reading(corpus)
			show.Perform(t, corpus, func() { follow(t, window, "/stream", want) })
			awaited := window.Await(fmt.Sprintf("received.length >= %d", len(want)))
			require.Empty(t, wire.Difference(want, value[[]wire.Received](t, window, "received")))
			require.NoError(t, awaited)
			assert.Zero(t, value[int](t, window, "failures"), "it reconnected")
			assert.True(t, value[bool](t, window, "source.close(), true"))
		})
	}
}

// follow opens an EventSource in the window that listens for all events that are to be received.
func follow(t *testing.T, window *chrome.Window, url string, want []wire.Received) {
	t.Helper()
	names := make([]string, 0, len(want))
	for _, event := range want {
		names = append(names, event.Type)
	}
	require.True(t, value[bool](t, window, fmt.Sprintf("follow(%s, %s)", quote(t, url), quote(t, names))))
}
