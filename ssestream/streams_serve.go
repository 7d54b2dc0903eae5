package ssestream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/internal/backoff"
	"github.com/feedmill/feedmill/internal/problem"
	"github.com/feedmill/feedmill/ssestream/internal/response"
	"github.com/feedmill/feedmill/ssestream/internal/room"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
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
	form    int
	key     string
	expires time.Time
	err     error // why it is refused
	unknown bool  // there is no stream of the name, whoever asks
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
		q.err, q.unknown = err, true

		return q
	}
	q.handler, q.form = k.handler, k.form
	q.key, q.expires, q.err = k.adapter.states.admit(r)

	return q
}

// prepare prepares the streams that the request asks for. It reports false where it has answered the request.
func (h *streamsHandler) prepare(w http.ResponseWriter, v *visit) bool {
	r := v.request
	requests, err := h.requests(r)
	if err != nil {
		h.router.fail(w, r, err)

		return false
	}
	if err := allRefused(requests); err != nil {
		h.router.fail(w, r, err)

		return false
	}
	if !h.router.admit(w, v) {
		return false
	}
	h.join(v, requests, lastEventID(r))
	v.waits = len(v.notices) == 0
	if h.router.terms.Heartbeat > 0 && r.URL.Query().Has("heartbeat") {
		v.client.ShowHeartbeats()
		v.notices = append(wire.AppendFirstHeartbeat(nil, h.router.terms.Heartbeat), v.notices...)
	}

	return true
}

// authorized reports whether the client of the visit may go on with all of its streams, and with no other.
func (h *streamsHandler) authorized(v *visit) bool {
	requests, err := h.requests(v.request)
	if err != nil {
		return false
	}
	for _, q := range requests {
		key, followed := v.client.KeyOf(q.name)
		if followed != (q.err == nil) || key != q.key || !v.until(q.expires) {
			return false
		}
	}

	return true
}

// allRefused returns why the first stream is refused, if all of them are for good.
func allRefused(requests []request) error {
	for _, q := range requests {
		if !final(q.err) {
			return nil
		}
	}

	return fmt.Errorf("stream %q: %w", requests[0].name, requests[0].err)
}

// refusedFor is how long a connection lasts on which a stream was refused to the client. It may have logged in meanwhile.
const refusedFor = 5 * time.Minute

// join has a client follow all streams that are there, with the problems of the others as notices. Where one
// was put off, or refused to this client, the connection ends after a while: to resume the others costs little, and the
// stream gets another try.
func (h *streamsHandler) join(v *visit, requests []request, last string) {
	v.client, v.again = room.NewStreams(len(requests), last), h
	end := func(at time.Time) {
		if !at.IsZero() && (v.expires.IsZero() || at.Before(v.expires)) {
			v.expires = at
		}
	}
	for _, q := range requests {
		if q.err == nil {
			if q.handler.rooms.Join(v.client, q.key, q.name, q.form) {
				v.compress = v.compress || q.handler.compress
				end(q.expires)

				continue
			}
			h.router.metrics.Refused.Add(1)
			q.err = &StatusError{Status: http.StatusServiceUnavailable, Err: errors.New("too many clients follow the stream")}
		}
		switch {
		case !final(q.err):
			end(time.Now().Add(backoff.Between(patience*3/4, patience*5/4)))
		case !q.unknown:
			end(time.Now().Add(backoff.Between(refusedFor*3/4, refusedFor*5/4)))
		}
		v.notices = v.client.AppendProblem(v.notices, encodeProblem(q.name, q.err))
	}
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

// serveState responds with all states as JSON.
func (h *streamsHandler) serveState(w http.ResponseWriter, r *http.Request) {
	requests, err := h.requests(r)
	if err != nil {
		h.router.fail(w, r, err)

		return
	}
	all := states{Streams: map[string]json.RawMessage{}, Problems: []streamProblem{}}
	bodies := h.loadAll(r.Context(), requests)
	for i, q := range requests {
		if q.err == nil {
			all.Streams[q.name] = bodies[i]
		} else {
			all.Problems = append(all.Problems, streamProblem{Stream: q.name, Document: problem.Of(q.err)})
		}
	}
	body, err := encodeJSON(all)
	if err != nil {
		h.router.fail(w, r, err)

		return
	}
	response.SetShared(w.Header())
	answer{mediaType: jsonType, body: body}.write(w, r)
}

// errLate is why a stream has no state in a plain answer that could not wait any longer.
var errLate = errors.New("the state was not loaded in time")

// loadAll loads the states of the streams concurrently, and sets the error of each request without one. The rooms load them, so
// that many requests at once, as after an outage, share loads with each other and with streams. Two kinds of states are loaded
// for the request alone: those whose events have no JSON, and those that are too large for a stream.
func (h *streamsHandler) loadAll(ctx context.Context, requests []request) []json.RawMessage {
	bodies := make([]json.RawMessage, len(requests))
	asker := room.NewAsker(len(requests))
	defer asker.Leave()
	var asked []int
	for i, q := range requests {
		if q.err == nil && q.handler.rooms.Join(asker, q.key, q.name, jsonForm) {
			asked = append(asked, i)
		}
	}
	var alone sync.WaitGroup
	for n, a := range h.statesFor(ctx, asker) {
		i := asked[n]
		q := &requests[i]
		switch {
		case errors.Is(a.Err, ErrFrameTooLarge), a.State != nil && a.State.JSON == nil:
			alone.Go(func() {
				var own answer
				own, q.err = q.handler.loadOnce(ctx, q.key, false)
				bodies[i] = own.body
			})
		case a.State != nil:
			bodies[i] = a.State.JSON
		case a.Err != nil:
			q.err = a.Err
		case h.router.closed.Err() != nil:
			q.err = &StatusError{Status: http.StatusServiceUnavailable, Err: ErrClosed}
		default:
			q.err = &StatusError{Status: http.StatusServiceUnavailable, Err: fmt.Errorf("load %q: %w", q.key, errLate)}
		}
	}
	alone.Wait()

	return bodies
}

// statesFor returns the states of the rooms that the asker has joined. It waits at most for the time of one load.
func (h *streamsHandler) statesFor(ctx context.Context, asker *room.Client) []room.Answer {
	config := &h.router.config
	ctx, cancel := context.WithTimeout(ctx, config.LoadTimeout+config.MinLoadInterval)
	defer cancel()
	defer context.AfterFunc(h.router.closed, cancel)() //nolint:contextcheck // the wait ends with either context

	return asker.Answers(ctx)
}
