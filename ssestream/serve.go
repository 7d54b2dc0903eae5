package ssestream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/go-chi/render"

	"github.com/feedmill/feedmill/ssestream/internal/response"
	"github.com/feedmill/feedmill/ssestream/internal/room"
	"github.com/feedmill/feedmill/ssestream/internal/takeover"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// WantsStream reports whether a [Router] answers the request with a stream: the request's first accepted type is
// text/event-stream, as the stock router decides. It is for handlers and middleware around the router's, such as
// one that answers some requests itself.
func WantsStream(r *http.Request) bool {
	return render.GetAcceptedContentType(r) == render.ContentTypeEventStream
}

// route returns a handler that answers with a stream or with the state, as the request accepts.
func (r *Router) route(stream, state http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		wants := WantsStream(req)
		open := r.enter()
		if open {
			defer r.tasks.Done()
		}
		switch {
		case !open && wants:
			r.turnAway(w, req, "closing")
		case !open:
			r.fail(w, req, &StatusError{Status: http.StatusServiceUnavailable, Err: ErrClosed})
		case !wants:
			state(w, req)
		case !response.CanFlush(w):
			r.fail(w, req, fmt.Errorf("stream to %T: %w", w, ErrNoFlush))
		default:
			stream(w, req)
		}
	}
}

// admit takes a place for a stream and waits until its topics are subscribed to. It reports false where it has turned
// the request away. wait reports false where the request or the router has ended.
func (r *Router) admit(
	w http.ResponseWriter, req *http.Request, wait func(ctx context.Context) bool,
) (release func(), ok bool) {
	release, ok = r.places.take(req)
	if !ok {
		r.refuse(w, req)

		return nil, false
	}
	if !wait(req.Context()) {
		release()
		r.turnAway(w, req, "closing")

		return nil, false
	}

	return release, true
}

// visit is a stream that is about to begin: its client, which has joined its rooms.
type visit struct {
	client  *room.Client
	expires time.Time // zero for never
	notices []byte    // are sent with whatever is sent first
	release func()    // gives the client's place back
}

// end takes the client out of its rooms.
func (v *visit) end() {
	v.client.Leave()
	v.release()
}

// stream returns a handler that serves the visit that is prepared until it ends, on the connection itself if that can
// be taken over. It keeps little on the goroutine's stack, where a taken connection stays for as long as its stream lasts.
func (r *Router) stream(prepare func(http.ResponseWriter, *http.Request) *visit) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) { //nolint:contextcheck // the request has it
		var v *visit
		var conn *takeover.Conn
		var ctx context.Context
		var cancel context.CancelFunc
		takeover.Aside(func() {
			if v = prepare(w, req); v == nil {
				return
			}
			r.metrics.Clients.Add(1)
			ctx, cancel = expiring(req.Context(), v.expires)
			if taken := takeover.Take(w, req); taken != nil {
				conn = r.shards.Begin(ctx, taken, w, req, v.client, v.notices)
				v.client.Redirect(conn)
			}
		})
		if v == nil {
			return
		}
		defer v.end()
		defer r.metrics.Clients.Add(-1)
		defer cancel()
		if conn != nil {
			conn.Serve()
		} else {
			response.Serve(ctx, w, r.terms, v.notices, v.client, v.client.Ready()) //nolint:contextcheck // it is the request's
		}
	}
}

// expiring returns a context that also ends at the given time, unless that is zero.
func expiring(ctx context.Context, at time.Time) (context.Context, context.CancelFunc) {
	if at.IsZero() {
		return ctx, func() {}
	}

	return context.WithDeadline(ctx, at)
}

// turnAway ends a stream at once, without stopping the EventSource as a status of 4xx or 5xx would. A comment says
// why, to people who look at the wire.
func (r *Router) turnAway(w http.ResponseWriter, req *http.Request, why string) {
	closing := r.closed.Err() != nil
	end := wire.AppendRetry([]byte(": "+why+"\n"), r.retry())
	if closing {
		end = r.terms.Farewell()
	}
	if closing || req.ProtoMajor == 1 {
		// On HTTP/2 it would have net/http give up the whole connection, with its other streams.
		w.Header().Set("Connection", "close")
	}
	response.End(w, time.Now().Add(r.config.WriteTimeout), end)
}

// refuse turns away a stream that is over a limit.
func (r *Router) refuse(w http.ResponseWriter, req *http.Request) {
	r.metrics.Refused.Add(1)
	r.logger.Debug("Stream is over a limit", watermill.LogFields{"path": req.URL.Path})
	r.turnAway(w, req, "too many streams")
}

// fail answers a request that fails before anything was sent.
func (r *Router) fail(w http.ResponseWriter, req *http.Request, err error) {
	if StatusOf(err) >= http.StatusInternalServerError && req.Context().Err() == nil && !errors.Is(err, ErrClosed) {
		r.logger.Error("Request failed", err, watermill.LogFields{"method": req.Method, "path": req.URL.Path})
	}
	r.config.ErrorHandler(w, req, err)
}
