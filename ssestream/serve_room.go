package ssestream

import (
	"context"
	"net/http"
	"time"

	"github.com/ThreeDotsLabs/watermill"
)

// patience bounds the wait for a first state where heartbeats, which otherwise do, are off.
const patience = 15 * time.Second

// visit prepares the stream of the request's key. It answers nil where the request has been answered otherwise.
func (h *roomHandler) visit(w http.ResponseWriter, r *http.Request) *visit {
	key, expires, err := h.adapter.admit(r)
	switch {
	case err != nil && !final(err):
		h.router.logger.Error("Stream is put off", err, watermill.LogFields{"path": r.URL.Path})
		h.router.turnAway(w, r, "not now")

		return nil
	case err != nil:
		h.router.fail(w, r, err)

		return nil
	case r.Method == http.MethodHead:
		writeHeader(w)

		return nil
	}
	release, ok := h.router.places.take(r)
	if !ok {
		h.router.refuse(w, r)

		return nil
	}
	if !h.upstreams.wait(r.Context(), h.router.closed) {
		release()
		h.router.turnAway(w, r, closingComment)

		return nil
	}
	c := newClient(r.Header.Get("Last-Event-ID"))
	if !h.join(key, &c.members[0]) {
		release()
		h.router.refuse(w, r)

		return nil
	}
	v := &visit{client: c, expires: expires, release: release}
	switch result, err := h.router.first(r.Context(), c); result {
	case refused:
		v.end()
		h.router.fail(w, r, err)
	case waiting:
		v.end()
		h.router.turnAway(w, r, closingComment)
	case opened:
		return v
	}

	return nil
}

// patience is the longest that a peer waits for the header of its response.
func (r *Router) patience() time.Duration {
	if r.config.Heartbeat == Off {
		return patience
	}

	return r.config.Heartbeat
}

// first waits until the client's stream can begin. A load that takes long does not keep the peer waiting for
// the response's header.
func (r *Router) first(ctx context.Context, c *client) (outcome, error) {
	timer := time.NewTimer(r.patience())
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

// sendAll sends the client whatever is due until its stream ends, and answers why writing failed, if it did.
func (r *Router) sendAll(ctx context.Context, s *stream, v *visit) error {
	if !v.expires.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, v.expires)
		defer cancel()
	}
	for {
		more, err := r.sendDue(ctx, s, v.client)
		if err != nil || !more {
			return err
		}
		select {
		case <-v.client.ready:
		case <-s.silent:
			if err := s.send([]byte(heartbeat)); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		case <-r.closed.Done():
			return s.send(r.farewell())
		}
	}
}

// sendDue sends all that is due; the first time it opens the stream in any case. It says whether the stream goes on.
func (r *Router) sendDue(ctx context.Context, s *stream, c *client) (more bool, err error) {
	var buf []byte
	for ctx.Err() == nil && r.closed.Err() == nil {
		d, ok := c.next(buf)
		switch {
		case !ok:
			return false, nil
		case d.frame == nil:
			return true, s.begin()
		}
		if c.several() {
			buf = d.frame
		}
		end := r.traces.startWrite(d.state)
		err := s.send(d.frame)
		end(1)
		if err != nil {
			return false, err
		}
		r.delivered(c, d) //nolint:contextcheck // what is measured there is of no request
	}

	return true, nil
}

// delivered counts what was sent. A heartbeat, which is of no member, is not.
func (r *Router) delivered(c *client, d due) {
	if d.member == nil {
		return
	}
	if d.state != nil && d.member.number > 0 { // The first state of a client is as old as it is.
		r.meters.delivered(d.state)
	}
	r.stats.frames.Add(1)
	r.stats.bytes.Add(int64(len(d.frame)))
	if skipped := c.delivered(d); skipped > 0 {
		r.stats.skipped.Add(int64(skipped)) //nolint:gosec // G115: a count of states
	}
}
