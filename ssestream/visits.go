package ssestream

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/feedmill/feedmill/ssestream/internal/room"
	"github.com/feedmill/feedmill/ssestream/internal/takeover"
)

// visit is a stream, from its request to its end.
type visit struct {
	request   *http.Request
	principal string // as RouterConfig.Principal says

	client  *room.Client // has joined its rooms; nil for an adapter that is not an [Adapter]
	again   authorizer   // nil for such an adapter
	expires time.Time    // zero for never
	notices []byte       // are sent with whatever is sent first
	release func()       // gives the client's place back

	left     <-chan struct{}    // closed when the peer goes before the stream begins, nil afterwards
	cancel   context.CancelFunc // ends the context of the request, where that is the visit's own
	released func() bool        // has the context no longer end with the handler, nil where it does
	taken    bool               // its connection was taken over

	waits    bool // it begins with a state
	compress bool // its states may be compressed

	missed  []Kick        // while it had not begun; this and the following under visits.mu
	gone    chan struct{} // closed when it has ended, nil if nobody waits
	stop    func()        // ends the stream, nil before it has begun
	stopped bool          // it was called
}

// authorizer authorizes the client of a visit again.
type authorizer interface{ authorized(v *visit) bool }

// alone returns the request with a context of the visit's own where that may outlive the handler: where net/http called the
// router's handler without anybody between, who could see it end, and nothing but net/http ends the context.
func (v *visit) alone(w http.ResponseWriter, r *http.Request, keep bool) *http.Request {
	if !keep {
		return r
	}
	server := takeover.Alone(w, r)
	if server == nil {
		return r
	}
	ctx, cancel := context.WithCancel(server)
	v.cancel, v.released = cancel, context.AfterFunc(r.Context(), cancel)

	return r.WithContext(ctx) //nolint:contextcheck // it outlives that of the request, and ends with it before
}

// detach reports whether the visit goes on without the handler.
func (v *visit) detach() bool {
	if !v.taken || v.released == nil || !v.released() {
		return false
	}
	v.released = nil // It holds what net/http has of the request.

	return true
}

// end takes the client out of its rooms.
func (v *visit) end() {
	v.client.Leave()
	v.release()
}

// until reports whether the visit ends no later than at the given time, which is zero for never.
func (v *visit) until(expires time.Time) bool {
	return expires.IsZero() || !v.expires.IsZero() && !v.expires.After(expires)
}

// authorized reports whether the client of the visit may go on with it. That of an adapter that cannot tell may not.
func (v *visit) authorized() bool { return v.again != nil && v.again.authorized(v) }

// matches reports whether the visit, which has joined its rooms, is one of those that the kick is about. A kick that selects
// nothing is about all of them.
func (v *visit) matches(k Kick) bool {
	return (k.Principal == "" || k.Principal == v.principal) && (k.Key == "" || v.client != nil && v.client.Follows(k.Key))
}

// visits are the streams of a router.
type visits struct {
	mu  sync.Mutex
	all map[*visit]struct{}
}

// arrive records that a stream is requested. It must be called before anything of the request is read: a kick then finds
// every stream that may have been authorized before the kick.
func (vs *visits) arrive() *visit {
	v := &visit{cancel: func() {}}
	vs.mu.Lock()
	defer vs.mu.Unlock()
	vs.all[v] = struct{}{}

	return v
}

func (vs *visits) remove(v *visit) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	delete(vs.all, v)
	if v.gone != nil {
		close(v.gone)
	}
}

// wait waits until the visit has ended.
func (vs *visits) wait(v *visit) {
	vs.mu.Lock()
	_, there := vs.all[v]
	if there && v.gone == nil {
		v.gone = make(chan struct{})
	}
	gone := v.gone
	vs.mu.Unlock()
	if there {
		<-gone
	}
}

// begin has stop end the visit, which has joined its rooms, from now on. It returns what the kicks ask for that the visit has
// missed.
func (vs *visits) begin(v *visit, stop func()) (end, authorize bool) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	for _, k := range v.missed {
		if v.matches(k) {
			end, authorize = end || !k.Authorize, true
		}
	}
	v.stop, v.missed = stop, nil

	return end, authorize
}

// redirect has another stop end the visit, and calls that where the one before was called.
func (vs *visits) redirect(v *visit, stop func()) {
	vs.mu.Lock()
	v.stop = stop
	stopped := v.stopped
	vs.mu.Unlock()
	if stopped {
		stop()
	}
}

// stop ends the visit, which has begun.
func (vs *visits) stop(v *visit) {
	vs.mu.Lock()
	v.stopped = true
	stop := v.stop
	vs.mu.Unlock()
	stop()
}

// pick returns the visits that have begun and that the kick is about. Those that have not begun find it then.
func (vs *visits) pick(k Kick) []*visit {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	var picked []*visit
	for v := range vs.all {
		switch {
		case v.stop == nil:
			v.missed = append(v.missed, k)
		case v.matches(k):
			picked = append(picked, v)
		}
	}

	return picked
}
