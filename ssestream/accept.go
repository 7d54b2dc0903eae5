package ssestream

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/render"

	"github.com/feedmill/feedmill/ssestream/internal/coding"
)

// The media types that a router serves.
const (
	eventStream = "text/event-stream"
	htmlType    = "text/html"
	jsonType    = "application/json"
)

// WantsStream reports whether a [Router] responds to the request with a stream: the Accept header names text/event-stream
// with a higher weight than JSON and HTML (RFC 9110, section 12.5.1), or with the same weight and before they are named. A
// wildcard names none of them. Middleware may choose for the request by render.SetContentType, as with the stock router.
//
// It is for handlers and middleware around the router's. A handler of [Adapter.HTML] responds with a stream also if
// text/html is named before, as htmx does.
func WantsStream(r *http.Request) bool {
	stream := accepts(r, eventStream)

	return stream.named() && stream.before(accepts(r, htmlType)) && stream.before(accepts(r, jsonType))
}

// wantsHTMLStream is WantsStream for a handler whose streams are HTML.
func wantsHTMLStream(r *http.Request) bool {
	stream := accepts(r, eventStream)

	return stream.named() && stream.weight >= accepts(r, htmlType).weight && stream.before(accepts(r, jsonType))
}

// wantsHTML reports whether a request that is not for a stream prefers HTML to JSON. Where the request leaves it open, or
// accepts neither, the form of the handler's streams decides.
func wantsHTML(r *http.Request, f *form) bool {
	html, json := accepts(r, htmlType), accepts(r, jsonType)
	if html.weight == json.weight && !html.named() && !json.named() {
		return f.html
	}

	return html.before(json)
}

// acceptance is what an Accept header says of a media type, by the most specific range that has it.
type acceptance struct {
	weight   float64 // 0 if the type is not accepted
	specific int     // 2 for the type itself, 1 for a range such as text/*, 0 for */* and for none
	place    int     // of the range in the header
}

// named reports whether the type itself is named, and accepted.
func (a acceptance) named() bool { return a.specific == 2 && a.weight > 0 }

// before reports whether the type is preferred to the other. Of types of the same weight one that is named goes before one
// that a wildcard stands for, and then the first.
func (a acceptance) before(other acceptance) bool {
	switch {
	case a.weight != other.weight:
		return a.weight > other.weight
	case a.named() != other.named():
		return a.named()
	default:
		return a.place < other.place
	}
}

// accepts returns how far the request accepts the media type.
func accepts(r *http.Request, mediaType string) (best acceptance) {
	if chosen, ok := r.Context().Value(render.ContentTypeCtxKey).(render.ContentType); ok {
		if chosenTypes[chosen] == mediaType {
			return acceptance{weight: 1, specific: 2}
		}

		return acceptance{}
	}
	main, _, _ := strings.Cut(mediaType, "/")
	specific := map[string]int{mediaType: 2, main + "/*": 1, "*/*": 0}
	place, found := 0, false
	for _, line := range r.Header.Values("Accept") {
		for accepted := range strings.SplitSeq(line, ",") {
			place++
			media, weight := parseAccepted(accepted)
			if s, ok := specific[media]; ok && (!found || s > best.specific) {
				best, found = acceptance{weight: weight, specific: s, place: place}, true
			}
		}
	}

	return best
}

// chosenTypes are the media types that middleware can choose.
var chosenTypes = map[render.ContentType]string{ //nolint:gochecknoglobals // a table
	render.ContentTypeEventStream: eventStream,
	render.ContentTypeHTML:        htmlType,
	render.ContentTypeJSON:        jsonType,
}

// parseAccepted returns a media type of an Accept header and its weight, which is 1 if it cannot be read.
func parseAccepted(accepted string) (media string, weight float64) {
	media, parameters, _ := strings.Cut(accepted, ";")
	weight = 1
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		if q, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && q >= 0 && q <= 1 {
			weight = q
		}
	}

	return strings.ToLower(strings.TrimSpace(media)), weight
}

// codingOf returns the content coding of a response that may be compressed: the one that the client prefers (RFC 9110,
// section 12.5.3). If the client gives gzip and zstd the same weight, codingOf returns gzip for small states, because it is
// cheaper, and zstd for states that exceed gzip's window. A wildcard does not stand for zstd.
func codingOf(r *http.Request, size int) coding.Coding {
	weights := map[string]float64{}
	for _, line := range r.Header.Values("Accept-Encoding") {
		for accepted := range strings.SplitSeq(line, ",") {
			name, weight := parseAccepted(accepted)
			weights[name] = weight
		}
	}
	gzip, named := weights[coding.Gzip.String()]
	if !named {
		gzip = weights["*"]
	}
	zstd, best := weights[coding.Zstd.String()], coding.Gzip
	if zstd > gzip || zstd == gzip && size > coding.Gzip.Window()*3/4 { // They may grow.
		best = coding.Zstd
	}
	if most := max(gzip, zstd); most == 0 || most < weights[coding.Identity.String()] {
		return coding.Identity
	}

	return best
}

// reads returns a handler that refuses other methods than GET and HEAD.
func (r *Router) reads(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet || req.Method == http.MethodHead {
			h(w, req)

			return
		}
		withoutBody(w, req, r.config.WriteTimeout)
		w.Header().Set("Allow", "GET, HEAD")
		r.fail(w, req, &StatusError{
			Status: http.StatusMethodNotAllowed, Err: fmt.Errorf("method %s is not allowed here", req.Method),
		})
	}
}
