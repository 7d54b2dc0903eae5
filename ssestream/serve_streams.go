package ssestream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill"
)

// maxStreamName bounds the names of streams, which become event names.
const maxStreamName = 1024

// streamsHandler serves several resources on one connection.
type streamsHandler struct {
	router   *Router
	names    map[string]*kind
	prefixes []*kind
}

// request is a stream that was asked for, and what became of it.
type request struct {
	name    string
	rooms   *roomHandler
	key     string
	expires time.Time
	err     error // why it is refused
}

// validStreamName says whether name can name a stream: it becomes the name of an event.
func validStreamName(name string) error {
	switch {
	case name == problemEvent || name == "message" || reservedEvent(name):
		return fmt.Errorf("%q has another meaning to a client than that of a stream", name)
	case len(name) > maxStreamName:
		return fmt.Errorf("the name of a stream has %d bytes, at most %d are allowed", len(name), maxStreamName)
	case !utf8.ValidString(name) || strings.ContainsAny(name, "\r\n\x00"):
		return errors.New("the name of a stream is UTF-8 without line breaks and NUL")
	default:
		return nil
	}
}

// requests answers what the query asks for, each stream once.
func (h *streamsHandler) requests(r *http.Request) ([]request, error) {
	names := r.URL.Query()["stream"]
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 || len(names) > MaxStreams {
		return nil, &StatusError{Status: http.StatusBadRequest, Err: ErrStreamCount}
	}
	requests := make([]request, len(names))
	for i, name := range names {
		requests[i] = h.admit(name, r)
	}

	return requests, nil
}

func (h *streamsHandler) admit(name string, r *http.Request) (q request) {
	q.name = name
	defer func() {
		if q.err != nil && !final(q.err) {
			h.router.logger.Error("Stream is put off", q.err, watermill.LogFields{"stream": name})
		}
	}()
	defer recovered(&q.err, "admit request") // A panic over one stream is not the others'.
	k, r, err := h.find(name, r)
	if err != nil {
		q.err = err

		return q
	}
	q.rooms = k.rooms
	q.key, q.expires, q.err = k.rooms.adapter.admit(r)

	return q
}

// visit prepares the streams that the request asks for. It answers nil where the request has been answered otherwise.
func (h *streamsHandler) visit(w http.ResponseWriter, r *http.Request) *visit {
	requests, err := h.requests(r)
	if err != nil {
		h.router.fail(w, r, err)

		return nil
	}
	if r.Method == http.MethodHead {
		writeHeader(w)

		return nil
	}
	release, ok := h.router.places.take(r)
	if !ok {
		h.router.refuse(w, r)

		return nil
	}
	if !h.wait(r.Context(), requests) {
		release()
		h.router.turnAway(w, r, closingComment)

		return nil
	}
	v := h.join(requests, lastEventID(r))
	v.release = release
	if len(v.client.members) > 0 && len(v.notices) == 0 {
		if result, _ := h.router.first(r.Context(), v.client); result == waiting {
			v.end()
			h.router.turnAway(w, r, closingComment)

			return nil
		}
	}

	return v
}

// wait waits until all topics of the streams are heard. A stream whose topics take long is put off, for the others'
// sake. It says no where the request or the router has ended.
func (h *streamsHandler) wait(ctx context.Context, requests []request) bool {
	patient, cancel := context.WithTimeout(ctx, h.router.patience())
	defer cancel()
	for i := range requests {
		q := &requests[i]
		if q.err != nil || q.rooms.upstreams.wait(patient, h.router.closed) {
			continue
		}
		if ctx.Err() != nil || h.router.closed.Err() != nil {
			return false
		}
		q.err = &StatusError{Status: http.StatusServiceUnavailable, Err: errors.New("changes of the stream cannot be heard yet")}
	}

	return true
}

// join answers a client that follows all streams that are there, with the problems of the others as notices. Where one
// was only put off the connection ends after a while: what is resumed then costs little, and the stream gets another try.
func (h *streamsHandler) join(requests []request, last string) *visit {
	c := &client{
		ready: make(chan struct{}, 1), width: tokenWidth(len(requests)), resumed: parseResumption(last),
		members: make([]member, 0, len(requests)),
	}
	v := &visit{client: c}
	putOff := false
	for _, q := range requests {
		if q.err == nil {
			c.members = append(c.members, member{client: c, stream: q.name})
			if q.rooms.join(q.key, &c.members[len(c.members)-1]) {
				if !q.expires.IsZero() && (v.expires.IsZero() || q.expires.Before(v.expires)) {
					v.expires = q.expires
				}

				continue
			}
			c.members = c.members[:len(c.members)-1]
			h.router.stats.refused.Add(1)
			q.err = &StatusError{Status: http.StatusServiceUnavailable, Err: errors.New("too many follow the stream")}
		}
		if !final(q.err) {
			putOff = true
		}
		v.notices = appendName(v.notices, problemEvent)
		v.notices = appendData(v.notices, encodeProblem(q.name, q.err))
		// The peer gives up a state that it may have had, so its ID must not speak for it any more.
		v.notices = append(c.appendID(v.notices, due{}), '\n')
	}
	if again := time.Now().Add(jitter(patience, patience/4)); putOff && (v.expires.IsZero() || again.Before(v.expires)) {
		v.expires = again
	}

	return v
}

// lastEventID answers what the client has, by the header of a reconnect or the query of a new EventSource.
func lastEventID(r *http.Request) string {
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		return id
	}

	return r.URL.Query().Get("lastEventId")
}

// states is the answer to a plain request.
type states struct {
	Streams  map[string]json.RawMessage `json:"streams"`
	Problems []streamProblem            `json:"problems"`
}

// serveState answers with all states as JSON.
func (h *streamsHandler) serveState(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Accept")
	requests, err := h.requests(r)
	if err != nil {
		h.router.fail(w, r, err)

		return
	}
	answer := states{Streams: map[string]json.RawMessage{}, Problems: []streamProblem{}}
	for _, q := range requests {
		if q.err == nil {
			var l loaded
			if l, q.err = q.rooms.loadOnce(r.Context(), q.key); q.err == nil {
				answer.Streams[q.name] = l.json

				continue
			}
			h.router.stats.loadErrors.Add(1)
		}
		answer.Problems = append(answer.Problems, streamProblem{Stream: q.name, problem: problemOf(q.err)})
	}
	body, err := encodeJSON(answer)
	if err != nil {
		h.router.fail(w, r, err)

		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	writeJSON(w, r, body)
}
