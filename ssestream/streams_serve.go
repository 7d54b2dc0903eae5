package ssestream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/internal/backoff"
	"github.com/feedmill/feedmill/internal/problem"
	"github.com/feedmill/feedmill/ssestream/internal/response"
	"github.com/feedmill/feedmill/ssestream/internal/room"
)

// streamsHandler serves several resources on one connection.
type streamsHandler struct {
	router *Router
	kinds  []*kind
}

// request is a stream that was asked for.
type request struct {
	name    string
	handler *handler
	key     string
	expires time.Time
	err     error // why it is refused
}

// requests returns what the query asks for, each stream once.
func (h *streamsHandler) requests(r *http.Request) ([]request, error) {
	names := r.URL.Query()["stream"]
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 || len(names) > MaxStreams {
		err := fmt.Errorf("the query has to name 1 to %d streams", MaxStreams)

		return nil, &StatusError{Status: http.StatusBadRequest, Err: err}
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
	q.handler = k.handler
	q.key, q.expires, q.err = k.adapter.admit(r)

	return q
}

// visit prepares the streams that the request asks for. It returns nil where it has answered the request.
func (h *streamsHandler) visit(w http.ResponseWriter, r *http.Request) *visit {
	requests, err := h.requests(r)
	if err != nil {
		h.router.fail(w, r, err)

		return nil
	}
	if r.Method == http.MethodHead {
		response.WriteHeader(w)

		return nil
	}
	release, ok := h.router.admit(w, r, func(ctx context.Context) bool { return h.wait(ctx, requests) })
	if !ok {
		return nil
	}
	v := h.join(requests, lastEventID(r))
	v.release = release
	if len(v.notices) == 0 { // Else the stream begins with these.
		if ok, _ := v.client.Await(r.Context(), h.router.patience(), h.router.closed.Done()); !ok {
			v.end()
			h.router.turnAway(w, r, "closing")

			return nil
		}
	}

	return v
}

// wait waits until all topics of the streams are subscribed to. A stream whose topics take too long is put off, for
// the others' sake. It reports false where the request or the router has ended.
func (h *streamsHandler) wait(ctx context.Context, requests []request) bool {
	patient, cancel := context.WithTimeout(ctx, h.router.patience())
	defer cancel()
	for i := range requests {
		q := &requests[i]
		if q.err != nil || q.handler.upstreams.wait(patient, h.router.closed) {
			continue
		}
		if ctx.Err() != nil || h.router.closed.Err() != nil {
			return false
		}
		q.err = &StatusError{Status: http.StatusServiceUnavailable, Err: errors.New("the stream's topic is not subscribed to yet")}
	}

	return true
}

// join returns a client that follows all streams that are there, with the problems of the others as notices. Where one
// was only put off, the connection ends after a while: to resume the others costs little, and the stream gets another
// try.
func (h *streamsHandler) join(requests []request, last string) *visit {
	v := &visit{client: room.NewStreams(len(requests), last)}
	end := func(at time.Time) {
		if !at.IsZero() && (v.expires.IsZero() || at.Before(v.expires)) {
			v.expires = at
		}
	}
	for _, q := range requests {
		if q.err == nil {
			if q.handler.rooms.Join(v.client, q.key, q.name) {
				end(q.expires)

				continue
			}
			h.router.metrics.Refused.Add(1)
			q.err = &StatusError{Status: http.StatusServiceUnavailable, Err: errors.New("too many clients follow the stream")}
		}
		if !final(q.err) {
			end(time.Now().Add(backoff.Between(patience*3/4, patience*5/4)))
		}
		v.notices = v.client.AppendProblem(v.notices, encodeProblem(q.name, q.err))
	}

	return v
}

// lastEventID returns what the client has, by the header of a reconnect or the query of a new EventSource.
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
			if l, q.err = q.handler.loadOnce(r.Context(), q.key); q.err == nil {
				answer.Streams[q.name] = l.json

				continue
			}
		}
		answer.Problems = append(answer.Problems, streamProblem{Stream: q.name, Document: problem.Of(q.err)})
	}
	body, err := encodeJSON(answer)
	if err != nil {
		h.router.fail(w, r, err)

		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	writeJSON(w, r, body)
}
