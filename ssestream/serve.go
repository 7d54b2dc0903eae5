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
	wantsStream func(*http.Request) bool, stream func(http.ResponseWriter, *visit) (rest func()), state http.HandlerFunc, keep bool,
) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		wants := wantsStream(req)
		if !wants || !keep {
			header.Include(w.Header(), "Vary", "Accept") // also of errors
		}
		var v *visit
		var rest func()
		open := false
		defer func() {
			if rest == nil {
				r.leave(v, open)
			} else {
				go func() {
					defer r.leave(v, open)
					rest()
				}()
			}
		}()
		if wants {
			v = r.visits.arrive()
			v.left = req.Context().Done() // To wait for a context of the visit's own would cost memory until that ends.
			req = v.alone(w, req, keep)
		}
		if wants || keep {
			var err error
			if req, err = withBody(w, req, r.config.WriteTimeout); err != nil {
				r.fail(w, req, err)

				return
			}
		}
		open = r.enter()
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
			rest = stream(w, v)
		}
	}
}

// leave ends a visit, which is nil for a plain request, and what enter began where that was open.
func (r *Router) leave(v *visit, open bool) {
	if v != nil {
		v.cancel()
		r.visits.remove(v)
	}
	if open {
		r.tasks.Done()
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
	ok, gone := v.client.Await(ctx, r.patience(), r.closed.Done(), v.left)
	if ok && gone == nil {
		return true
	}
	v.end()
	switch {
	case gone != nil:
		r.fail(w, v.request, gone)
	case r.closed.Err() != nil:
		r.turnAway(w, v.request, "closing")
	case ctx.Err() != nil:
		r.turnAway(w, v.request, "authorize again")
	default:
		r.turnAway(w, v.request, "not now")
	}

	return false
}

// stream returns a handler that serves the visit that is prepared until it ends, on the connection itself if that can
// be taken over. It keeps little on the goroutine's stack, where a taken connection stays for as long as its stream lasts.
// A stack grows to what is needed at most and hardly ever shrinks: to parse, load and write would leave 8 KB or more to a
// goroutine that then only waits, where 4 KB do. So another goroutine does that.
//
// Where nobody could see the handler end, it leaves the rest of a taken connection to another goroutine.
func (r *Router) stream(prepare func(http.ResponseWriter, *visit) bool) func(http.ResponseWriter, *visit) (rest func()) {
	return func(w http.ResponseWriter, v *visit) (rest func()) {
		var serve func()
		raised := panics.Aside(func() {
			r.identify(v)
			if prepare(w, v) && r.opens(w, v) {
				serve = r.begin(w, v)
			}
		})
		if raised != nil {
			raised.Raise(r.logger, watermill.LogFields{"method": v.request.Method, "path": v.request.URL.Path})
		}
		if serve == nil {
			return nil
		}
		end := func() {
			defer r.metrics.Clients.Add(-1)
			defer v.end()
			serve()
		}
		if v.detach() {
			return end
		}
		end()

		return nil
	}
}

// opens reports whether the stream of the visit, which has joined its rooms, is to be served. It has answered the request
// otherwise.
func (r *Router) opens(w http.ResponseWriter, v *visit) bool {
	kicked, stop := context.WithCancel(context.Background()) // A child of the request's context would cost memory until that ends.
	defer stop()
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
	if v.request.Method == http.MethodHead {
		v.end()
		r.compress(w.Header(), v)
		response.WriteHeader(w)

		return false
	}

	return true
}

// compress compresses the stream of the visit, which has not begun, if its states and the client allow it. It leaves one
// that middleware encodes.
func (r *Router) compress(head http.Header, v *visit) {
	if !v.compress {
		return
	}
	header.Include(head, "Vary", "Accept")
	header.Include(head, "Vary", "Accept-Encoding")
	if c := codingOf(v.request, v.client.Size()); c != coding.Identity && head.Get("Content-Encoding") == "" {
		head.Set("Content-Encoding", c.String())
		v.client.Compress(c)
	}
}

// begin begins the stream and returns a function that serves it until it ends. A connection that is taken over ends by being
// closed, and whatever is under way on it; any other stream by its context.
func (r *Router) begin(w http.ResponseWriter, v *visit) (serve func()) {
	r.metrics.Clients.Add(1)
	v.left = nil
	r.compress(w.Header(), v) // where the handlers around see it
	if taken := takeover.Take(w, v.request); taken != nil {
		v.taken = true
		taken.Ends = v.released == nil && takeover.EndsItself(w, v.request)
		peer := taken.Conn // What else was taken is not kept.
		r.visits.redirect(v, func() { _ = peer.Close() })
		conn := r.shards.Begin(v.request.Context(), taken, v.expires, v.client, v.notices)
		v.notices = nil
		v.client.Redirect(conn)

		return conn.Serve
	}
	ctx, cancel := context.WithCancel(v.request.Context())
	r.visits.redirect(v, cancel)
	ctx, forget := expiring(ctx, v.expires)

	return func() {
		defer cancel()
		defer forget()
		response.Serve(ctx, w, r.terms, v.notices, v.client, v.client.Ready())
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

// fail responds to a request that fails before anything was sent.
func (r *Router) fail(w http.ResponseWriter, req *http.Request, err error) {
	if StatusOf(err) >= http.StatusInternalServerError && req.Context().Err() == nil && !errors.Is(err, ErrClosed) {
		r.logger.Error("Request failed", err, watermill.LogFields{"method": req.Method, "path": req.URL.Path})
	}
	header.Include(w.Header(), "Vary", "Accept")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(r.config.WriteTimeout)) // A stream's was cleared.
	r.config.ErrorHandler(w, req, err)
}
