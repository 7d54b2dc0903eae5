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

	stop   func()      // ends the stream, once it has begun; under visits.mu
	missed []Kick      // while it had not begun; under visits.mu
	kicked func()      // is called with each of them; under visits.mu
	awaits []*departed // its end; under visits.mu
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
	v := &visit{}
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
	for _, d := range v.awaits {
		if d.left--; d.left == 0 {
			close(d.done)
		}
	}
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

// departed waits until visits have ended.
type departed struct {
	left int // under visits.mu
	done chan struct{}
}

// end ends the visits. The returned channel is closed when the last of them has ended.
func (vs *visits) end(ending []*visit) <-chan struct{} {
	d := &departed{done: make(chan struct{})}
	vs.mu.Lock()
	var stops []func()
	for _, v := range ending {
		if _, open := vs.all[v]; open {
			v.awaits = append(v.awaits, d)
			stops = append(stops, v.stop)
		}
	}
	d.left = len(stops)
	if d.left == 0 {
		close(d.done)
	}
	vs.mu.Unlock()
	for _, stop := range stops {
		stop()
	}

	return d.done
}
