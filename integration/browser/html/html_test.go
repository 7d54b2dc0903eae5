package html_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/internal/chrome"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// script is a text that must not become an element.
const script = `<script>window.injected = true</script><img src=x onerror="window.injected = true">`

// TestPages follow one stream by a connection and two by another: they show the first states, changes without a reload, and
// what changed while they were cut off.
func TestPages(t *testing.T) {
	t.Parallel()
	cut := map[string]func(*ssestreamtest.Proxy){
		"ended in order": (*ssestreamtest.Proxy).Cut, "reset": (*ssestreamtest.Proxy).Reset,
	}
	for _, page := range []string{"htmx.html", "htmx2.html", "turbo.html", "datastar.html"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.write(t, "go", script)
			s.write(t, "ops", "first")
			w := s.open(t, page)
			w.shows("go", script)
			w.shows("ops", "first")
			assert.EqualValues(t, 2, s.app.Router().Stats().Clients, "two connections")
			_, err := chrome.Value[bool](w.Window, "window.loaded = true")
			require.NoError(t, err)

			s.write(t, "go", "second")
			s.write(t, "web", script)
			w.shows("go", "second", script)
			w.shows("web", script)
			goTexts, opsTexts := []string{"second", script}, []string{"first"}
			for how, end := range cut {
				if page == "datastar.html" && how == "ended in order" && datastar() == "npm/datastar.js" {
					continue // it has no retry: 'always'
				}
				s.proxy.Set(ssestreamtest.Faults{Refuse: true})
				end(s.proxy)
				require.Eventually(t, func() bool { return s.app.Router().Stats().Clients == 0 }, wait, tick)
				goTexts, opsTexts = append([]string{how}, goTexts...), append([]string{how}, opsTexts...)
				s.write(t, "go", how)
				s.write(t, "ops", how)
				s.proxy.Set(ssestreamtest.Faults{})
				w.shows("go", goTexts...)
				w.shows("ops", opsTexts...)
			}
			w.shows("web", script)
			w.await("window.loaded === true && window.injected === undefined")
			w.await("document.querySelectorAll('ul').length === 3 && document.querySelectorAll('ul script, ul img').length === 0")
		})
	}
}

const (
	wait = 20 * time.Second
	tick = 10 * time.Millisecond
)

// quote returns a text as a JavaScript literal.
func quote(t *testing.T, text string) string {
	t.Helper()
	literal, err := json.Marshal(text)
	require.NoError(t, err)

	return string(literal)
}
