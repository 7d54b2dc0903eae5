package ssestream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"go.opentelemetry.io/otel/trace"
)

// room is one key that somebody follows: the state that was loaded last, and the clients it is offered to.
//
// A client has to see the state as of its connect or later. The room's state may be older than that, however
// fresh it looks: a change is in the store before its event is here. So a client waits for a load that started
// after it joined. Clients that join while a load runs share the one that follows it, so a crowd that
// reconnects at once costs about two loads, and a join to a quiet room one, as a plain read would.
//
// Loads are numbered by their start. Marking the room dirty asks for one that starts later; many marks before
// it starts ask for the same one, and joins that come as a crowd are gathered for it, see [gathering]. Only one runs
// at a time, so states follow each other as the store's do.
type room struct {
	key  string
	host *roomHandler

	ctx    context.Context //nolint:containedctx // a room outlives the request that opened it, its loads end with it
	cancel context.CancelFunc

	current atomic.Pointer[snapshot]

	mu        sync.Mutex
	members   []*member
	began     time.Time // when the last load started, zero where that failed
	started   uint64    // the number of the last load that started
	states    uint64    // how many there have been
	dirty     bool      // a load has to start
	why       cause     // of the load that has to start
	joins     gathering
	refreshed []func() // to be called when the load that has to start has ended
	running   bool     // the goroutine of run is there
}

// snapshot is what clients need to know of a room, at one moment.
type snapshot struct {
	state   *state // nil until a load succeeded
	loaded  uint64 // the load that found state current
	failing bool   // the last load failed and will be tried again
	gone    error  // the last load found that there is no such state
	ended   uint64 // the load that found gone
	refusal uint64 // the load that found it first
}

// state is an encoded state. Each client is offered the same bytes.
type state struct {
	version string
	encoded
	number uint64 // counts the room's states
	cause  cause
	span   trace.SpanContext // of the load, if it is traced
}

// join adds the member to the room, and asks for the load that it waits for. It says no where the room has limit
// members already; a limit of 0 is none.
func (rm *room) join(m *member, limit int) bool {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	if limit > 0 && len(rm.members) >= limit {
		return false
	}
	m.room, m.place, m.since = rm, len(rm.members), rm.started+1
	rm.joins.joined++
	rm.members = append(rm.members, m)
	rm.markLocked()

	return true
}

// leave removes the member and says whether the room is empty.
func (rm *room) leave(m *member) bool {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	last := len(rm.members) - 1
	rm.members[m.place] = rm.members[last]
	rm.members[m.place].place = m.place
	rm.members[last] = nil
	rm.members = rm.members[:last]

	return last == 0
}

// mark asks for a load that starts from now on.
func (rm *room) mark(why cause) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	rm.why.add(why)
	rm.joins.event()
	rm.markLocked()
}

func (rm *room) markLocked() {
	rm.dirty = true
	if !rm.running && rm.ctx.Err() == nil {
		rm.running = true
		rm.host.router.tasks.Go(rm.run)
	}
}

// run loads while the room is dirty. A room at rest has no goroutine.
func (rm *room) run() {
	failures := rm.host.router.newBackoff()
	defer rm.abandoned()
	for rm.more() && rm.gather() && rm.pause() && rm.host.router.acquireLoad(rm.ctx) {
		number, why, refreshed := rm.begin()
		next, err := rm.load(why)
		rm.host.router.releaseLoad()
		for _, done := range refreshed {
			done()
		}

		switch {
		case rm.ctx.Err() != nil:
			return
		case err == nil:
			rm.succeeded(number, next)
			failures.reset()
		case final(err):
			rm.isGone(number, err)
			failures.reset()
		default:
			rm.failed(err, why)
			if !sleep(rm.ctx, failures.next()) {
				return
			}
		}
	}
}

// more says whether there is a mark; without one the goroutine ends, and the next mark starts another.
func (rm *room) more() bool {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	rm.running = rm.dirty

	return rm.dirty
}

// pause waits until the room may load again. More marks may come meanwhile. After a failure there was the backoff.
func (rm *room) pause() bool {
	interval := rm.host.router.config.MinLoadInterval
	if interval == 0 || rm.began.IsZero() {
		return true
	}

	return sleep(rm.ctx, time.Until(rm.began.Add(interval)))
}

// begin takes the mark and its reasons and numbers the load that starts now.
func (rm *room) begin() (number uint64, why cause, refreshed []func()) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	rm.dirty = false
	rm.started++
	rm.began = time.Now()

	why, refreshed = rm.why, rm.refreshed
	rm.why, rm.refreshed = cause{}, nil
	rm.joins.begin()

	return rm.started, why, refreshed
}

// load loads the state, traced where a message that is traced asked for it.
func (rm *room) load(why cause) (*state, error) {
	ctx, end := rm.host.router.traces.startLoad(rm.ctx, rm.key, why)
	version, frame, err := rm.host.loadFrame(ctx, rm.key)
	end(err)
	if err != nil {
		return nil, err
	}

	return &state{version: version, encoded: frame, cause: why, span: trace.SpanContextFromContext(ctx)}, nil
}

// succeeded makes the loaded state the room's. Where it is the one that was there, only clients that waited for
// its confirmation are woken.
func (rm *room) succeeded(number uint64, loaded *state) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	before := rm.current.Load()
	next := &snapshot{state: before.state, loaded: number}
	changed := before.state == nil || before.state.version != loaded.version
	if changed {
		rm.states++
		loaded.number = rm.states
		next.state = loaded
	}
	rm.current.Store(next)
	for _, m := range rm.members {
		if changed || m.since > before.loaded {
			m.client.wake()
		}
	}
}

// failed keeps the state and tells those who wait for their first one that it will take a while.
func (rm *room) failed(err error, why cause) {
	rm.host.router.logger.Error("Load failed, clients keep what they have", err, watermill.LogFields{
		"topic": rm.host.upstreams.topics(), "key": rm.key,
	})
	rm.mu.Lock()
	defer rm.mu.Unlock()
	rm.host.router.stats.loadErrors.Add(1)
	rm.dirty = true
	rm.why.add(why)
	rm.began = time.Time{}
	before := rm.current.Load()
	rm.current.Store(&snapshot{state: before.state, loaded: before.loaded, failing: true})
	rm.wakeAll()
}

// isGone ends the streams of all who joined before that load, and forgets the state: where a connection has other
// streams it goes on, and must not be sent it again.
func (rm *room) isGone(number uint64, err error) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	rm.host.router.stats.loadErrors.Add(1)
	before := rm.current.Load()
	next := &snapshot{loaded: before.loaded, gone: err, ended: number, refusal: number}
	if before.gone != nil && before.gone.Error() == err.Error() {
		next.refusal = before.refusal
	}
	rm.current.Store(next)
	rm.wakeAll()
}

func (rm *room) wakeAll() {
	for _, m := range rm.members {
		m.client.wake()
	}
}
