package client_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// TestBindings has the example page of each framework follow streams, change what it follows, and log in.
func TestBindings(t *testing.T) {
	t.Parallel()
	for _, framework := range []string{"vue", "react", "svelte"} {
		t.Run(framework, func(t *testing.T) {
			t.Parallel()
			_, err := os.Stat(pages + "/" + framework + "/index.html")
			require.NoError(t, err, "run `npm ci && npm run examples` in clients/typescript")
			s := newSite(t, ssestream.RouterConfig{}, 0)
			w := s.openAt(t, "/examples/"+framework+"/")
			shows := func(id, text string) {
				t.Helper()
				w.await("document.getElementById(" + quote(t, id) + ")?.textContent.trim() === " + quote(t, text))
			}
			shows("row", "Row 1: 0")
			shows("problem", "Unauthorized Log in")
			s.add(t)
			shows("row", "Row 1: 1")
			assert.EqualValues(t, 1, s.router.Stats().Rooms)

			w.run("document.getElementById('login').click()")
			shows("mine", "Mine: 1")
			w.run("document.getElementById('next').click()")
			shows("row", "Row 2: 1")
			s.add(t)
			shows("row", "Row 2: 2")
			shows("mine", "Mine: 2")
			// The stream of the first row was left.
			require.Eventually(t, func() bool {
				stats := s.router.Stats()
				return stats.Rooms == 2 && stats.Clients == 1
			}, 30*time.Second, 10*time.Millisecond)
		})
	}
}
