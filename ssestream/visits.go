package ssestream

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/feedmill/feedmill/ssestream/internal/room"
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

	gone   chan struct{} // closed when it has ended
	stop   func()        // ends the stream, once it has begun; under visits.mu until then
	missed []Kick        // while it had not begun; under visits.mu
	kicked func()        // is called with each of them; under visits.mu
}

// authorizer authorizes the client of a visit again.
type authorizer interface{ authorized(v *visit) bool }

// end takes the client out of its rooms.
func (v *visit) end() {
	v.client.Leave()
	v.release()
}

// until reports whether the visit ends no later than at the given time, which is zero for never.
func (v *visit) until(expires time.Time) bool {
	return expires.IsZero() || !v.expires.IsZero() && !v.expires.After(expires)
}

// matches reports whether the visit, which has joined its rooms, is one of those that the kick is about.
func (v *visit) matches(k Kick) bool {
	return (k.Principal == "" || k.Principal == v.principal) && (k.Key == "" || v.client != nil && v.client.Follows(k.Key))
}

// visits are the streams of a router.
type visits struct {
	mu  sync.Mutex
	all map[*visit]struct{}
}

// arrive notes that a stream is requested. It is before anything is read of the request, so that a kick finds all whose
// answers may be of before it.
func (vs *visits) arrive() *visit {
	v := &visit{gone: make(chan struct{})}
	vs.mu.Lock()
	defer vs.mu.Unlock()
	vs.all[v] = struct{}{}

	return v
}

// wake has a kick call f while the visit has not begun, and one that it has missed at once.
func (vs *visits) wake(v *visit, f func()) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v.kicked = f
	if len(v.missed) > 0 {
		f()
	}
}

func (vs *visits) remove(v *visit) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	delete(vs.all, v)
	close(v.gone)
}

// catchUp returns what the kicks ask for that the visit, which has joined its rooms, has missed, and forgets them.
func (vs *visits) catchUp(v *visit) (end, authorize bool) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	for _, k := range v.missed {
		if v.matches(k) {
			end, authorize = end || !k.Authorize, true
		}
	}
	v.missed = nil

	return end, authorize
}

// begin has stop end the visit from now on. It reports false where a kick has been about the visit since catchUp.
func (vs *visits) begin(v *visit, stop func()) bool {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if slices.ContainsFunc(v.missed, v.matches) {
		return false
	}
	v.stop, v.missed = stop, nil

	return true
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
			if v.kicked != nil {
				v.kicked()
			}
		case v.matches(k):
			picked = append(picked, v)
		}
	}

	return picked
}
