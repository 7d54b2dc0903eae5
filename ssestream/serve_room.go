package ssestream

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ThreeDotsLabs/watermill"
)

// patience bounds the wait for a first state where heartbeats, which otherwise do, are off.
const patience = 15 * time.Second

// serveStream answers with the states of the request's key, until one of them has enough.
func (h *roomHandler) serveStream(w http.ResponseWriter, r *http.Request) {
	if err := requireFlush(w); err != nil {
		h.router.fail(w, r, err)

		return
	}
	key, expires, err := h.adapter.admit(r)
	switch {
	case err != nil && !final(err):
		h.router.logger.Error("Stream is put off", err, watermill.LogFields{"path": r.URL.Path})
		h.router.turnAway(w, r)

		return
	case err != nil:
		h.router.fail(w, r, err)

		return
	case r.Method == http.MethodHead:
		writeHeader(w)

		return
	}
	release, ok := h.router.places.take(r)
	if !ok {
		h.router.refuse(w, r)

		return
	}
	defer release()
	if !h.upstreams.wait(r.Context(), h.router.closed) {
		h.router.turnAway(w, r)

		return
	}

	c := newClient(r.Header.Get("Last-Event-ID"))
	if !h.join(key, &c.members[0]) {
		h.router.refuse(w, r)

		return
	}
	defer h.leave(&c.members[0])
	switch result, err := h.router.first(r.Context(), c); result {
	case refused:
		h.router.fail(w, r, err)
	case waiting:
		h.router.turnAway(w, r)
	case opened:
		h.router.serveClient(w, r, c, expires, nil)
	}
}

// first waits until the client's stream can begin. A load that takes long does not keep the peer waiting for
// the response's header.
func (r *Router) first(ctx context.Context, c *client) (outcome, error) {
	limit := r.config.Heartbeat
	if limit == Off {
		limit = patience
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		if result, err := c.first(); result != waiting {
			return result, err
		}
		select {
		case <-c.ready:
		case <-timer.C:
			return opened, nil
		case <-ctx.Done():
			return waiting, nil
		case <-r.closed.Done():
			return waiting, nil
		}
	}
}

// serveClient streams to the client until it ends, by whatever can be had of its connection. The notices go out
// with whatever is sent first.
func (r *Router) serveClient(w http.ResponseWriter, req *http.Request, c *client, expires time.Time, notices []byte) {
	r.stats.clients.Add(1)
	defer r.stats.clients.Add(-1)
	preface := append(appendRetry(nil, r.retry()), notices...)
	if taken := takeOver(w, req); taken != nil {
		r.serveTakenOver(taken, w, req, c, expires, preface)

		return
	}
	s := newStream(w, r.writeBy, r.config.Heartbeat)
	s.open(preface)
	defer s.finish()
	if err := r.serveResponse(req.Context(), s, c, expires); errors.Is(err, errTooSlow) {
		r.stats.dropped.Add(1)
	}
}

// serveResponse sends the client whatever is due until its stream ends, and answers why writing failed, if it did.
func (r *Router) serveResponse(ctx context.Context, s *stream, c *client, expires time.Time) error {
	var expired <-chan time.Time
	if !expires.IsZero() {
		timer := time.NewTimer(time.Until(expires))
		defer timer.Stop()
		expired = timer.C
	}
	for {
		if more, err := r.sendDue(s, c); err != nil || !more {
			return err
		}
		select {
		case <-c.ready:
		case <-s.silent:
			if err := s.send([]byte(heartbeat)); err != nil {
				return err
			}
		case <-expired:
			return nil
		case <-ctx.Done():
			return nil
		case <-r.closed.Done():
			return s.send(r.farewell())
		}
	}
}

// sendDue sends all that is due; the first time it opens the stream in any case. It says whether the stream goes on.
func (r *Router) sendDue(s *stream, c *client) (more bool, err error) {
	var buf []byte
	for r.closed.Err() == nil {
		d, ok := c.next(buf)
		switch {
		case !ok:
			return false, nil
		case d.member == nil:
			return true, s.begin()
		}
		if c.several() {
			buf = d.frame
		}
		if err := s.send(d.frame); err != nil {
			return false, err
		}
		r.delivered(c, d)
	}

	return true, nil
}

// delivered counts what was sent. A heartbeat, which is of no member, is not.
func (r *Router) delivered(c *client, d due) {
	if d.member == nil {
		return
	}
	r.stats.frames.Add(1)
	r.stats.bytes.Add(int64(len(d.frame)))
	if skipped := c.delivered(d); skipped > 0 {
		r.stats.skipped.Add(int64(skipped)) //nolint:gosec // G115: a count of states
	}
}
