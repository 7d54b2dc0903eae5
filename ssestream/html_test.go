package ssestream_test

import (
	"context"
	"errors"
	"html/template"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// card renders a score.
func card(_ context.Context, w io.Writer, s score) error {
	return template.Must(template.New("card").Parse("<p id=\"{{.Key}}\">\n{{.N}} {{.Text}}</p>")).Execute(w, s)
}

// gallery is a router with the same states in several forms.
type gallery struct {
	board    *board
	source   *source
	router   *ssestream.Router
	rendered atomic.Int64
	json     site
	html     site
	turbo    site
	datastar site
	several  site // json:, html:, turbo: and datastar: with the key
}

func newGallery(t *testing.T, change func(*ssestream.AdapterBuilder[changed, score])) *gallery {
	t.Helper()
	g := &gallery{board: newBoard(), source: newSource()}
	g.router = newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: g.source})
	builder := g.board.builder()
	key := builder.RequestKey
	builder.RequestKey = func(r *http.Request) (string, error) {
		if k := r.PathValue("key"); k != "" {
			return k, nil
		}

		return key(r)
	}
	builder.Render = func(ctx context.Context, w io.Writer, s score) error {
		g.rendered.Add(1)

		return card(ctx, w, s)
	}
	if change != nil {
		change(&builder)
	}
	adapter, err := builder.Build()
	require.NoError(t, err)
	html, turbo := adapter.HTML(nil), adapter.HTML(ssestream.TurboStream("update", `"{key}"`))
	datastar := adapter.HTML(ssestream.DatastarElements)
	topics := []string{topic}
	streams, err := g.router.AddStreamsHandler(
		ssestream.Stream{Pattern: "json:{key}", Topics: topics, Adapter: adapter},
		ssestream.Stream{Pattern: "html:{key}", Topics: topics, Adapter: html},
		ssestream.Stream{Pattern: "turbo:{key}", Topics: topics, Adapter: turbo},
		ssestream.Stream{Pattern: "datastar:{key}", Topics: topics, Adapter: datastar},
	)
	require.NoError(t, err)
	g.json, g.html = serve(t, g.router.AddHandler(topic, adapter)), serve(t, g.router.AddHandler(topic, html))
	g.turbo, g.datastar = serve(t, g.router.AddHandler(topic, turbo)), serve(t, g.router.AddHandler(topic, datastar))
	g.several = serve(t, streams)
	run(t, g.router)

	return g
}

const (
	cardOf1     = "<p id=\"a\">\n1 &lt;b&gt;</p>"
	turboOf1    = "<turbo-stream action=\"update\" target=\"&#34;a&#34;\"><template>" + cardOf1 + "</template></turbo-stream>"
	datastarOf1 = "elements <p id=\"a\">\nelements 1 &lt;b&gt;</p>"
)

// TestHTMLOnStreams in the forms that htmx, Turbo and Datastar read, beside JSON.
func TestHTMLOnStreams(t *testing.T) {
	t.Parallel()
	g := newGallery(t, nil)
	g.board.set("a", 1)
	g.board.setText("a", "<b>")

	for _, test := range []struct {
		site             site
		query, typ, data string
	}{
		{g.json, "key=a", "data", `{"Key":"a","N":1,"Text":"<b>"}`},
		{g.html, "key=a", "message", cardOf1},
		{g.turbo, "key=a", "message", turboOf1},
		{g.datastar, "key=a", "datastar-patch-elements", datastarOf1},
		{g.several, "stream=json:a", "json:a", `{"Key":"a","N":1,"Text":"<b>"}`},
		{g.several, "stream=html:a", "html:a", cardOf1},
		{g.several, "stream=turbo:a", "message", turboOf1},
		{g.several, "stream=datastar:a", "datastar-patch-elements", datastarOf1},
	} {
		stream := test.site.connect(t, test.query)
		event := next(t, stream)
		assert.Equal(t, test.typ, event.Type, test.query)
		assert.Equal(t, test.data, event.Data, test.query)
		require.NoError(t, stream.Close())
		again := test.site.connect(t, test.query, ssestreamtest.WithLastEventID(event.ID))
		loads := g.board.loaded("a")
		eventually(t, func() bool { return again.Retry() > 0 }, "it opens")
		g.source.announce(t, "a")
		eventually(t, func() bool { return g.board.loaded("a") > loads }, "a load")
		g.board.set("a", 2)
		g.source.announce(t, "a")
		assert.Contains(t, next(t, again).Data, "2", "what it has is not sent again")
		g.board.set("a", 1)
		require.NoError(t, again.Close())
	}
}

// TestHTMX4 accepts streams behind HTML, and swaps events without a name alone.
func TestHTMX4(t *testing.T) {
	t.Parallel()
	g := newGallery(t, nil)
	htmx := ssestreamtest.WithHeader("Accept", "text/html, text/event-stream")
	for site, query := range map[site]string{g.html: "key=a", g.several: "stream=turbo:a"} {
		stream := site.connect(t, query, htmx)
		event := next(t, stream)
		assert.Equal(t, "message", event.Type)
		assert.Contains(t, event.Data, "<p")
		assert.NotContains(t, site.beginning(t, query), "event:")
	}
	for _, accept := range []string{"application/json, text/event-stream", "text/html, text/event-stream;q=0.5", "text/html"} {
		got := g.html.do(t, http.MethodGet, "key=a", "Accept", accept)
		assert.NotEqual(t, "text/event-stream", got.header.Get("Content-Type"), accept)
	}
}

// beginning returns the beginning of a stream.
func (s site) beginning(tb testing.TB, query string) string {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, s.url+"/?"+query, http.NoBody)
	require.NoError(tb, err)
	r.Header.Set("Accept", "text/event-stream")
	response, err := s.client.Do(r)
	require.NoError(tb, err)
	defer response.Body.Close()
	seen := make([]byte, 0, 4096)
	for !strings.Contains(string(seen), "</p>") {
		n, err := response.Body.Read(seen[len(seen):cap(seen)])
		require.NoError(tb, err)
		seen = seen[:len(seen)+n]
	}

	return string(seen)
}

// TestFormsShareTheirLoads: one load for a change, and one rendering for all clients of a form.
func TestFormsShareTheirLoads(t *testing.T) {
	t.Parallel()
	g := newGallery(t, nil)
	var streams []*ssestreamtest.Stream
	for range 3 {
		for _, site := range []site{g.json, g.html, g.turbo, g.datastar} {
			streams = append(streams, site.connect(t, "key=a"))
		}
		streams = append(streams, g.several.connect(t, "stream=html:a"))
	}
	for _, stream := range streams {
		next(t, stream)
	}
	loads, rendered := g.board.loaded("a"), g.rendered.Load()
	g.board.set("a", 7)
	g.source.announce(t, "a")
	for _, stream := range streams {
		assert.Contains(t, next(t, stream).Data, "7")
	}
	assert.Equal(t, 1, g.board.loaded("a")-loads)
	assert.EqualValues(t, 3, g.rendered.Load()-rendered, "one for each form")
	assert.Equal(t, int64(1), g.router.Stats().Rooms)
}

// TestPlainHTML by what the request accepts.
func TestPlainHTML(t *testing.T) {
	t.Parallel()
	g := newGallery(t, nil)
	g.board.set("a", 1)
	g.board.setText("a", "<b>")
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	tags := map[string]string{}
	for _, test := range []struct {
		site   site
		accept string
		html   bool
	}{
		{g.json, "", false},
		{g.json, "*/*", false},
		{g.json, browser, true},
		{g.json, "text/html, text/event-stream", true},
		{g.json, "text/html;q=0.1, application/json", false},
		{g.html, "", true},
		{g.html, "*/*", true},
		{g.html, "application/json", false},
		{g.html, "application/xml", true},
		{g.json, "application/xml", false},
		{g.html, "*/*, text/html;q=0", false},
		{g.html, "text/html;q=0,*/*;q=0.1", false},
		{g.html, "text/html;q=0.5,*/*;q=0.8", false},
		{g.html, "text/*;q=0.1, */*", false},
		{g.html, "text/html;q=0, application/json;q=0", true},
		{g.json, "text/html;q=0, application/json;q=0", false},
		{g.json, "application/json;q=0, */*", true},
		{g.json, "application/json;q=0, text/html;q=0.5", true},
		{g.json, "application/problem+json, text/html;q=0.5", true},
		{g.json, "text/*", true},
		{g.html, "application/*", false},
		{g.json, "text/html, */*", true},
		{g.html, "*/*, text/html", true},
		{g.html, "application/json, */*", false},
		{g.json, "text/html, application/json", true},
		{g.html, "application/json, text/html", false},
		{g.turbo, "text/html", true},
		{g.datastar, "text/html", true},
	} {
		got := test.site.do(t, http.MethodGet, "key=a", "Accept", test.accept)
		want := "application/json"
		if test.html {
			want = "text/html; charset=utf-8"
			assert.Equal(t, cardOf1, got.body)
		} else {
			assert.JSONEq(t, `{"Key":"a","N":1,"Text":"<b>"}`, got.body)
		}
		assert.Equal(t, want, got.header.Get("Content-Type"), test.accept)
		tags[got.header.Get("ETag")] = want
		same := test.site.do(t, http.MethodGet, "key=a", "Accept", test.accept, "If-None-Match", got.header.Get("ETag"))
		assert.Equal(t, http.StatusNotModified, same.status)
	}
	assert.Len(t, tags, 2, "one tag for each type")
}

// TestAFormThatIsAddedLater is there for its first client, in a room that is open.
func TestAFormThatIsAddedLater(t *testing.T) {
	t.Parallel()
	board, source := newBoard(), newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
	builder := board.builder()
	builder.Render = card
	adapter, err := builder.Build()
	require.NoError(t, err)
	before := serve(t, router.AddHandler(topic, adapter)).connect
	run(t, router)
	first := before(t, "key=a")
	nextScore(t, first)
	html := next(t, serve(t, router.AddHandler(topic, adapter.HTML(ssestream.NamedEvent("card")))).connect(t, "key=a"))
	assert.Equal(t, "card", html.Type)
	assert.Contains(t, html.Data, "<p id=")
	board.set("a", 1)
	source.announce(t, "a")
	assert.Equal(t, 1, nextScore(t, first).N, "and the room goes on")
}

// TestRenderFails, which is told to the clients, until it does not.
func TestRenderFails(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"with an error": func() error { return errors.New("no template") },
		"with a panic":  func() error { panic("no template") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var broken atomic.Bool
			broken.Store(true)
			g := newGallery(t, func(b *ssestream.AdapterBuilder[changed, score]) {
				render := b.Render
				b.Render = func(ctx context.Context, w io.Writer, s score) error {
					if broken.Load() {
						return fail()
					}

					return render(ctx, w, s)
				}
			})
			assert.Equal(t, http.StatusInternalServerError, g.html.do(t, http.MethodGet, "key=a").status)
			stream := g.html.connect(t, "key=a")
			assert.Equal(t, "Service Unavailable", problemOf(t, stream)["title"])
			broken.Store(false)
			assert.Contains(t, next(t, stream).Data, "<p")
		})
	}
}

// TestEventNamesOfHTML that mean something else are refused, and an adapter without Render has no HTML.
func TestEventNamesOfHTML(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"problem", "heartbeat", "error", "open", "a\nb"} {
		router := newRouter(t, ssestream.RouterConfig{})
		builder := newBoard().builder()
		builder.Render = func(context.Context, io.Writer, score) error { return nil }
		adapter, err := builder.Build()
		require.NoError(t, err)
		site := serve(t, router.AddHandler(topic, adapter.HTML(func(string, []byte) watermillhttp.ServerSentEvent {
			return watermillhttp.ServerSentEvent{Event: name}
		})))
		run(t, router)
		site.connect(t, "key=a")
		eventually(t, func() bool { return router.Stats().Stale > 0 }, name)
	}
	assert.Panics(t, func() { newBoard().adapter(t).HTML(nil) })
}

// TestPlainAnswerOfHTMLStreams is JSON, whatever the streams carry, and renders nothing.
func TestPlainAnswerOfHTMLStreams(t *testing.T) {
	t.Parallel()
	builder := newBoard().builder()
	builder.RequestKey = func(r *http.Request) (string, error) { return r.PathValue("key"), nil }
	builder.Render = func(context.Context, io.Writer, score) error { return errors.New("no template") }
	adapter, err := builder.Build()
	require.NoError(t, err)
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
	streams, err := router.AddStreamsHandler(
		ssestream.Stream{Pattern: "html:{key}", Topics: []string{topic}, Adapter: adapter.HTML(nil)})
	require.NoError(t, err)
	site := serve(t, streams)
	run(t, router)
	got := site.do(t, http.MethodGet, "stream=html:a&stream=html:b", "Accept", "application/json")
	assert.JSONEq(t, `{"streams":{"html:a":{"Key":"a","N":0},"html:b":{"Key":"b","N":0}},"problems":[]}`, got.body)
}
