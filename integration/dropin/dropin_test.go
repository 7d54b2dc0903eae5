package dropin_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDropIn visits the app on the stock router and on ours, and sees the same.
func TestDropIn(t *testing.T) {
	t.Parallel()
	expected, err := os.ReadFile("testdata/seen.txt")
	require.NoError(t, err)
	stock, ours := visit(t, buildStock(t), false), visit(t, buildSwitched(t), true)
	assert.Equal(t, string(expected), stock, "on the stock router")
	assert.Equal(t, string(expected), ours, "on ours")
}

// visit returns what clients see of an app from its start to its end. It relies only on what the stock router
// promises, which does not include an order between messages that are under way together: so a change is made after
// all events of the one before have come, and where one change sends several messages, all of them show the same.
func visit(t *testing.T, binary string, ours bool) string {
	t.Helper()
	app := start(t, binary)
	v := newVisitor(t, app.url)

	v.call(http.MethodGet, "/api/feeds", "", "")
	for _, accept := range []string{"", "text/event-stream"} {
		v.call(http.MethodGet, "/api/posts/1", accept, "")
	}

	// Two handlers, and many readers, on one topic.
	names, first, second := v.follow("/api/feeds"), v.follow("/api/feeds/go"), v.follow("/api/feeds/go")
	require.Equal(t, ours, names.stream.Retry() > 0, "only our router says when to return")
	v.call(http.MethodPost, "/api/posts", "", `{"title":"One","text":"<b>1</b> & more\nlines","tags":["go","coffee"]}`)
	names.next(2)
	first.next(1)
	second.next(1)

	// Another topic, and a change that concerns three feeds.
	post := v.follow("/api/posts/1")
	v.call(http.MethodPatch, "/api/posts/1", "", `{"title":"Uno","text":"1","tags":["go","tea"]}`)
	post.next(1)
	names.next(3)
	first.next(1)
	second.next(1)
	v.follow("/api/feeds/coffee").leave()

	// A change of another feed does not reach a reader: its next event is about the post after.
	v.call(http.MethodPost, "/api/posts", "", `{"title":"Two","text":"2","tags":["tea"]}`)
	names.next(1)
	v.call(http.MethodPost, "/api/posts", "", `{"title":"Three","text":"3","tags":["go"]}`)
	names.next(1)
	first.next(1)
	second.next(1)

	// A reader that reconnects sees what changed meanwhile, and goes on.
	first.leave()
	v.call(http.MethodPatch, "/api/posts/3", "", `{"title":"Tres","text":"3","tags":["go"]}`)
	names.next(1)
	second.next(1)
	first = v.follow("/api/feeds/go")
	v.call(http.MethodPatch, "/api/posts/3", "", `{"title":"Drei","text":"3","tags":["go"]}`)
	names.next(1)
	first.next(1)
	second.next(1)

	for _, accept := range []string{"", "*/*", "application/json", "application/xml", "text/html", "text/html, text/event-stream"} {
		v.call(http.MethodGet, "/api/posts/3", accept, "")
	}
	v.call(http.MethodPatch, "/api/posts/9", "", `{}`)

	require.NoError(t, app.stop(t))
	for _, r := range []*reader{names, first, second, post} {
		r.ends()
	}
	return strings.Join(v.seen, "\n") + "\n"
}
