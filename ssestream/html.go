package ssestream

import (
	"bytes"
	"html"
	"net/http"
	"strings"

	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
)

// form is what streams carry of a state.
type form struct {
	html  bool
	event HTMLEvent
}

// wants returns what tells that a request wants a stream.
func (f *form) wants() func(*http.Request) bool {
	if f.html {
		return wantsHTMLStream
	}

	return WantsStream
}

// HTMLEvent puts the HTML of a key's state into an event. Where it leaves the event without a name, several streams on one
// connection name it by its stream. The name "message" is that of an event without a name, also among several streams. The
// names "error", "open", "problem" and "heartbeat" mean something else to a client, and count as an error of Render.
type HTMLEvent func(key string, html []byte) watermillhttp.ServerSentEvent

// HTML returns an adapter of the same states whose streams carry them as HTML, by AdapterBuilder.Render, in the events that
// event makes. A nil event has the HTML in events without a name, as htmx expects. Handlers of both adapters share rooms and
// loads. HTML panics if there is no Render.
//
//	mux.Handle("GET /posts/{id}", router.AddHandler("post-updated", posts))
//	mux.Handle("GET /posts/{id}/html", router.AddHandler("post-updated", posts.HTML(nil)))
//
// A plain request gets HTML from the one handler and JSON from the other, unless its Accept header prefers what the other
// has. Another router than [Router] does not know of HTML.
func (a *Adapter[E, R]) HTML(event HTMLEvent) *Adapter[E, R] {
	if a.build.Render == nil {
		panic("ssestream: HTML of an adapter without Render")
	}

	return &Adapter[E, R]{build: a.build, source: a.source, form: &form{html: true, event: event}}
}

// NamedEvent has the HTML in events of that name, such as for sse-swap="name" of htmx 2.
func NamedEvent(name string) HTMLEvent {
	return func(_ string, html []byte) watermillhttp.ServerSentEvent {
		return watermillhttp.ServerSentEvent{Event: name, Data: html}
	}
}

// TurboStream has the HTML in a <turbo-stream> element with that action, such as "update", for the element whose id is
// target, in which {key} stands for the key. A <turbo-stream-source> reads it.
func TurboStream(action, target string) HTMLEvent {
	head := `<turbo-stream action="` + html.EscapeString(action) + `" target="` + html.EscapeString(target) + `"><template>`

	return func(key string, content []byte) watermillhttp.ServerSentEvent {
		begin := strings.ReplaceAll(head, "{key}", html.EscapeString(key))

		return watermillhttp.ServerSentEvent{
			Event: "message", Data: bytes.Join([][]byte{[]byte(begin), content, []byte("</template></turbo-stream>")}, nil),
		}
	}
}

// DatastarElements is an [HTMLEvent] that patches the HTML's elements into the page by Datastar, each in the place of the
// element with its id.
func DatastarElements(_ string, html []byte) watermillhttp.ServerSentEvent {
	html = bytes.ReplaceAll(bytes.ReplaceAll(html, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	data := append([]byte("elements "), bytes.ReplaceAll(html, []byte("\n"), []byte("\nelements "))...)

	return watermillhttp.ServerSentEvent{Event: "datastar-patch-elements", Data: data}
}
