package ssestream

import (
	"errors"
	"net/http"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/go-chi/render"
)

// WantsStream says whether a [Router] answers the request with a stream: the request's first accepted type is
// text/event-stream, as the stock router decides. It is for handlers and middleware around the router's, such as
// one that serves some of its requests by itself.
func WantsStream(r *http.Request) bool {
	return render.GetAcceptedContentType(r) == render.ContentTypeEventStream
}

// route answers a handler that answers with a stream or with the plain state, as the request accepts, or sends it
// away when the router is closing.
func (r *Router) route(stream, state http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		wants := WantsStream(req)
		if !r.enter() {
			r.serveClosed(w, req, wants)

			return
		}
		defer r.tasks.Done()
		if !wants {
			state(w, req)

			return
		}
		if err := requireFlush(w); err != nil {
			r.fail(w, req, err)

			return
		}
		stream(w, req)
	}
}

// visits answers a handler for the streams that visit prepares.
func (r *Router) visits(visit func(http.ResponseWriter, *http.Request) *visit) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) { r.stream(w, req, visit) }
}

func (r *Router) serveClosed(w http.ResponseWriter, req *http.Request, stream bool) {
	if stream {
		r.turnAway(w, req, closingComment)
	} else {
		r.fail(w, req, &StatusError{Status: http.StatusServiceUnavailable, Err: ErrClosed})
	}
}

// closingComment says why a router that closes ends a stream.
const closingComment = "closing"

// retry answers the reconnection time to tell one client.
func (r *Router) retry() time.Duration {
	return jitter(r.config.Retry, r.config.Retry/2)
}

// turnAway ends a stream at once, without stopping the EventSource as a status of 4xx or 5xx would. A comment says why, to
// people who look at the wire.
func (r *Router) turnAway(w http.ResponseWriter, req *http.Request, why string) {
	retry := appendRetry(append([]byte(": "), why+"\n"...), r.retry())
	closing := r.closed.Err() != nil
	if closing {
		retry = r.farewell()
	}
	if closing || req.ProtoMajor == 1 {
		// On HTTP/2 it would have net/http give up the whole connection, on which other streams may be open.
		w.Header().Set("Connection", "close")
	}
	writeHeader(w)
	// It is net/http that writes, after the handler, to a peer that may not read.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(r.config.WriteTimeout))
	_, _ = w.Write(retry) // The peer may be gone; there is nobody left to tell.
}

// refuse turns away a stream that is over a limit.
func (r *Router) refuse(w http.ResponseWriter, req *http.Request) {
	r.stats.refused.Add(1)
	r.logger.Debug("Stream is over a limit", watermill.LogFields{"path": req.URL.Path})
	r.turnAway(w, req, "too many streams")
}

// farewell answers the frame that ends a stream of a router that closes: it has the clients come back at random
// within the drain window, to whoever is there then.
func (r *Router) farewell() []byte {
	return appendRetry(nil, jitter(r.config.Retry/2+r.config.DrainWindow/2, r.config.DrainWindow/2))
}

// fail answers a request that fails before anything was sent.
func (r *Router) fail(w http.ResponseWriter, req *http.Request, err error) {
	if StatusOf(err) >= http.StatusInternalServerError && req.Context().Err() == nil && !errors.Is(err, ErrClosed) {
		r.logger.Error("Request failed", err, watermill.LogFields{"method": req.Method, "path": req.URL.Path})
	}
	r.config.ErrorHandler(w, req, err)
}
