package room

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/ssestream/internal/observe"
)

// load loads once, at the given place, and reports whether the room is at rest then, which may be for good. The place is
// given back when the load returns or should have: one that ignores the end of its context holds no slot for long, but no
// other load of its key starts before it has returned.
func (rm *room) load(p *place) (rest bool) {
	defer p.release()
	living, r := rm.life()
	if !p.take(living, r) {
		return true
	}
	number, forms, cause, ok := rm.begin(living)
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(living, p.slots.timeout)
	defer cancel()
	defer context.AfterFunc(ctx, p.release)()
	start := time.Now()
	p.start(cancel)
	since := rm.rooms.dependencies.now()
	ctx, end := rm.rooms.config.Traces.StartLoad(ctx, rm.key, cause)
	ctx, told := Telling(ctx)
	state, err := rm.rooms.load(ctx, rm.key, forms)
	end(err)
	took := time.Since(start)
	_, late := p.slots.times()
	if err == nil {
		p.slots.succeeded(took)
	}
	missed := rm.rooms.dependencies.set(rm, told.Keys(), since)

	rm.mu.Lock()
	rm.loading = false
	if len(rm.members) == 0 {
		rm.running = false
		rm.mu.Unlock()
		rm.rooms.forget(rm)

		return true
	}
	defer rm.mu.Unlock()
	if rm.rooms.config.Closed.Err() != nil {
		return true
	}
	if missed {
		rm.dirty = true
		rm.urgentLocked(observe.Cause{Since: start})
	}
	if err == nil {
		state.cause, state.span, state.loaded = cause, trace.SpanContextFromContext(ctx), time.Now()
	}
	rm.endLocked(number, cause, state, err, errors.Is(ctx.Err(), context.Canceled) || living.Err() != nil)
	if took >= late {
		rm.rank = r.afterLate()
	}
	rm.running = rm.dirty

	return !rm.dirty
}

// endLocked notes what a load returned. One that was cut off tells of the state only if it has succeeded.
func (rm *room) endLocked(number uint64, cause observe.Cause, state *State, err error, cut bool) {
	failure := err
	if err == nil {
		failure = state.failure()
	}
	switch final := rm.rooms.config.Final(err); {
	case failure != nil && !final && cut:
		rm.dirty = true
		rm.cause.Add(cause)
	case err == nil && failure == nil:
		rm.succeededLocked(number, state)
		rm.failures.Reset()
	case err == nil:
		rm.succeededLocked(number, state)
		rm.retryLocked(cause)
	case final:
		rm.goneLocked(number, err)
	default:
		rm.failedLocked(err, cause)
	}
}

// life returns the context that ends with the room's last member, and the rank of its next load.
func (rm *room) life() (context.Context, rank) {
	rm.mu.Lock()
	defer rm.mu.Unlock()

	return rm.ctx, rm.rank
}

// deserted reports whether the room has neither a member nor a load that has not returned.
func (rm *room) deserted() bool {
	rm.mu.Lock()
	defer rm.mu.Unlock()

	return len(rm.members) == 0 && !rm.loading
}

// begin numbers the load that starts now, and takes the marks with their causes. The load is for the forms that members
// follow; who joins later waits for another. It reports false where the room has ended.
func (rm *room) begin(living context.Context) (number uint64, forms []int, cause observe.Cause, ok bool) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	if living.Err() != nil {
		return 0, nil, cause, false
	}
	rm.dirty, rm.urgent, rm.retrying, rm.loading = false, false, false, true
	rm.started++
	rm.began = time.Now()
	cause, rm.cause = rm.cause, observe.Cause{}

	for form, members := range rm.following {
		if members > 0 {
			forms = append(forms, form)
		}
	}

	return rm.started, forms, cause, true
}

// succeededLocked makes the loaded state the room's. Where it is the state that was there, only clients that waited
// for its confirmation are woken.
func (rm *room) succeededLocked(number uint64, loaded *State) {
	rm.loadedLocked()
	before := rm.current.Load()
	next := &snapshot{state: before.state, loaded: number}
	changed := before.state == nil || !before.state.equal(loaded)
	if changed {
		next.state = loaded
		loaded.expect(rm.following)
	}
	switch {
	case !changed:
	case before.state != nil && before.state.shows(loaded):
		loaded.replace(before.state)
	default:
		rm.states++
		loaded.follow(before.state, rm.states)
		if before.state != nil && loaded.cause.Since.IsZero() {
			rm.rooms.unannounced(rm.key)
		}
	}
	rm.showLocked(next)
	for _, m := range rm.members {
		if changed || m.since > before.loaded || before.stale != nil {
			m.client.wake()
		}
	}
}

// retryLocked asks for another load because a form could not be made of what was loaded. Only those who follow the form
// wait for it.
func (rm *room) retryLocked(cause observe.Cause) {
	rm.rooms.config.Metrics.LoadErrors.Add(1)
	rm.notBefore = time.Now().Add(rm.failures.Next())
	rm.cause.Add(cause)
	rm.retrying = !rm.dirty
	rm.dirty = true
	made := func(f Form) bool { return f.ID != "" }
	if !slices.ContainsFunc(rm.current.Load().state.Forms, made) {
		rm.rank = failed
	}
}

// failedLocked keeps the state, and opens the streams of those who wait for their first one. The log tells of the first
// failure in a row; if they last, the clients are told, and the log again.
func (rm *room) failedLocked(err error, cause observe.Cause) {
	first := rm.failure == nil
	rm.failure, rm.rank = err, failed
	rm.rooms.config.Metrics.LoadErrors.Add(1)
	rm.dirty, rm.began, rm.notBefore = true, time.Time{}, time.Now().Add(rm.failures.Next())
	rm.cause.Add(cause)
	next := *rm.current.Load()
	next.failing = true
	rm.current.Store(&next)
	if first {
		rm.rooms.config.Logger.Error("Load failed, clients keep what they have", err, watermill.LogFields{
			"topic": rm.rooms.topics, "key": rm.key,
		})
	}
	rm.wakeLocked()
}

// goneLocked ends the streams of all who joined before that load. It forgets the state, for a connection of several
// streams goes on and must not be sent it again.
func (rm *room) goneLocked(number uint64, err error) {
	rm.loadedLocked()
	rm.failures.Reset()
	rm.rooms.config.Metrics.LoadErrors.Add(1)
	rm.showLocked(&snapshot{loaded: number, gone: err})
	rm.wakeLocked()
}

func (rm *room) wakeLocked() {
	for _, m := range rm.members {
		m.client.wake()
	}
}
