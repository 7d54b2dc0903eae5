package ssestream

import (
	"errors"
	"net/http"
	"time"
)

// visit is a stream that is about to begin: its client, which has joined its rooms, and what the way there left to
// be done when it ends.
type visit struct {
	client  *client
	expires time.Time // zero for never
	notices []byte    // go out with whatever is sent first
	release func()    // gives the client's place back
}

// end takes the client out of its rooms.
func (v *visit) end() {
	for i := range v.client.members {
		m := &v.client.members[i]
		m.room.host.leave(m)
	}
	v.release()
}

// stream serves the visit that is prepared until it ends, by whatever can be had of the connection. It keeps little on the
// goroutine's stack, where a connection that was taken over stays for as long as its stream lasts.
func (r *Router) stream(w http.ResponseWriter, req *http.Request, prepare func(http.ResponseWriter, *http.Request) *visit) {
	var v *visit
	var cn *conn
	aside(func() {
		if v = prepare(w, req); v != nil {
			r.stats.clients.Add(1)
			if taken := takeOver(w, req); taken != nil {
				cn = r.begin(taken, w, req, v)
			}
		}
	})
	if v == nil {
		return
	}
	defer v.end()
	defer r.stats.clients.Add(-1)
	if cn != nil {
		cn.serve()
	} else {
		r.serveResponse(w, req, v)
	}
}

// preface is what a stream begins with.
func (r *Router) preface(v *visit) []byte {
	return append(appendRetry(nil, r.retry()), v.notices...)
}

// serveResponse writes the client's states to w, from the request's own goroutine.
func (r *Router) serveResponse(w http.ResponseWriter, req *http.Request, v *visit) {
	s := newStream(w, r.writeBy, r.config.Heartbeat)
	s.open(r.preface(v))
	defer s.finish()
	if err := r.sendAll(req.Context(), s, v); errors.Is(err, errTooSlow) {
		r.stats.dropped.Add(1)
	}
}
