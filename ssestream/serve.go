package ssestream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/internal/header"
	"github.com/feedmill/feedmill/internal/panics"
	"github.com/feedmill/feedmill/ssestream/internal/coding"
	"github.com/feedmill/feedmill/ssestream/internal/response"
	"github.com/feedmill/feedmill/ssestream/internal/takeover"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// route returns a handler that responds with a stream where the request wants one, and else with the state. Unless keep
// is set, state reads the bodies of plain requests as they come.
func (r *Router) route(
	wantsStream func(*http.Request) bool, stream func(http.ResponseWriter, *visit), state http.HandlerFunc, keep bool,
) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		header.Include(w.Header(), "Vary", "Accept") // also of errors
		wants := wantsStream(req)
		var v *visit
		if wants {
			v = r.visits.arrive()
			defer r.visits.remove(v)
		}
		if wants || keep {
			var err error
			if req, err = withBody(w, req, r.config.WriteTimeout); err != nil {
				r.fail(w, req, err)

				return
			}
		}
		open := r.enter()
		if open {
			defer r.tasks.Done()
		}
		switch {
		case !open && wants:
			r.turnAway(w, req, "closing")
		case !open:
			if !keep {
				withoutBody(w, req, r.config.WriteTimeout)
			}
			r.fail(w, req, &StatusError{Status: http.StatusServiceUnavailable, Err: ErrClosed})
		case !wants:
			state(w, req)
		case !response.CanFlush(w):
			r.fail(w, req, fmt.Errorf("stream to %T: %w", w, ErrNoFlush))
		default:
			r.warnOfStream(w, req)
			// The server's deadline is for whole responses, and on HTTP/2 would end the stream while it waits for a state.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
			v.request = req
			stream(w, v)
		}
	}
}

// admit takes a place for a stream. It reports false where it has turned the request away.
func (r *Router) admit(w http.ResponseWriter, v *visit) (ok bool) {
	v.release, ok = r.places.take(v)
	if !ok {
		r.refuse(w, v.request)
	}

	return ok
}

// identify notes who sends the request.
func (r *Router) identify(v *visit) {
	if r.config.Principal != nil {
		v.principal = r.config.Principal(rewound(v.request))
	}
}

// await waits until the stream of the visit, which has joined its rooms, can begin, at most until ctx ends. It reports false
// where it has turned the client away.
func (r *Router) await(ctx context.Context, w http.ResponseWriter, v *visit) bool {
	ok, gone := v.client.Await(ctx, r.patience(), r.closed.Done())
	if ok && gone == nil {
		return true
	}
	v.end()
	switch {
	case gone != nil:
		r.fail(w, v.request, gone)
	case r.closed.Err() != nil:
		r.turnAway(w, v.request, "closing")
	case v.request.Context().Err() != nil:
		r.turnAway(w, v.request, "not now")
	default:
		r.turnAway(w, v.request, "authorize again")
	}

	return false
}

// stream returns a handler that serves the visit that is prepared until it ends, on the connection itself if that can
// be taken over. It keeps little on the goroutine's stack, where a taken connection stays for as long as its stream lasts.
func (r *Router) stream(prepare func(http.ResponseWriter, *visit) bool) func(http.ResponseWriter, *visit) {
	return func(w http.ResponseWriter, v *visit) {
		var conn *takeover.Conn
		var ctx context.Context
		var cancel context.CancelFunc
		if raised := takeover.Aside(func() {
			r.identify(v)
			if !prepare(w, v) {
				return
			}
			kicked, stop := context.WithCancel(v.request.Context())
			if !r.opens(kicked, stop, w, v) { //nolint:contextcheck // it inherits that of the request
				stop()

				return
			}
			ctx, cancel, conn = r.begin(kicked, stop, w, v)
		}); raised != nil {
			r.raise(v.request, raised)
		}
		if ctx == nil {
			return
		}
		defer r.metrics.Clients.Add(-1)
		defer v.end()
		defer cancel()
		if conn != nil {
			conn.Serve()
		} else {
			response.Serve(ctx, w, r.terms, v.notices, v.client, v.client.Ready())
		}
	}
}

// opens reports whether the stream of the visit, which has joined its rooms, is to be served. It has answered the request
// otherwise.
func (r *Router) opens(kicked context.Context, stop func(), w http.ResponseWriter, v *visit) bool {
	switch {
	case !r.welcome(v, stop):
		v.end()
		r.turnAway(w, v.request, "authorize again")

		return false
	case v.waits && !r.await(kicked, w, v):
		return false
	case kicked.Err() != nil:
		v.end()
		r.turnAway(w, v.request, "authorize again")

		return false
	}
	r.compress(w, v)
	if v.request.Method == http.MethodHead {
		v.end()
		response.WriteHeader(w)

		return false
	}

	return true
}

// compress compresses the stream of the visit, which has not begun, if its states and the client allow it. It leaves one
// that middleware encodes.
func (r *Router) compress(w http.ResponseWriter, v *visit) {
	if !v.compress {
		return
	}
	header.Include(w.Header(), "Vary", "Accept-Encoding")
	if c := codingOf(v.request, v.client.Size()); c != coding.Identity && w.Header().Get("Content-Encoding") == "" {
		w.Header().Set("Content-Encoding", c.String())
		v.client.Compress(c)
	}
}

// begin begins the stream. A connection that is taken over ends by being closed, and whatever is under way on it; any
// other stream by its context.
func (r *Router) begin(
	kicked context.Context, stop context.CancelFunc, w http.ResponseWriter, v *visit,
) (ctx context.Context, cancel context.CancelFunc, conn *takeover.Conn) {
	r.metrics.Clients.Add(1)
	taken := takeover.Take(w, v.request)
	if taken == nil {
		ctx, _ = expiring(kicked, v.expires) // It ends with the other.

		return ctx, stop, nil
	}
	r.visits.redirect(v, func() { _ = taken.Close() })
	stop()
	ctx, cancel = expiring(v.request.Context(), v.expires)
	conn = r.shards.Begin(ctx, taken, w, v.request, v.client, v.notices)
	v.client.Redirect(conn)

	return ctx, cancel, conn
}

// expiring returns a context that also ends at the given time, unless that is zero.
func expiring(ctx context.Context, at time.Time) (context.Context, context.CancelFunc) {
	if at.IsZero() {
		return ctx, func() {}
	}

	return context.WithDeadline(ctx, at)
}

// raise goes on with a panic of another goroutine. Whoever recovers gets its value. The stack of where it was is in the log.
func (r *Router) raise(req *http.Request, raised *panics.Raised) {
	if raised.Reason != http.ErrAbortHandler { //nolint:errorlint // as net/http compares
		r.logger.Error("Request panicked", fmt.Errorf("panic: %v", raised.Reason), watermill.LogFields{
			"method": req.Method, "path": req.URL.Path, "stack": string(raised.Stack),
		})
	}
	panic(raised.Reason)
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

// fail responds to a request that fails before anything was sent.
func (r *Router) fail(w http.ResponseWriter, req *http.Request, err error) {
	if StatusOf(err) >= http.StatusInternalServerError && req.Context().Err() == nil && !errors.Is(err, ErrClosed) {
		r.logger.Error("Request failed", err, watermill.LogFields{"method": req.Method, "path": req.URL.Path})
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(r.config.WriteTimeout)) // A stream's was cleared.
	r.config.ErrorHandler(w, req, err)
}
