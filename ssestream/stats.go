package ssestream

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/feedmill/feedmill/internal/backoff"
)

// Stats is a snapshot of a router's counters. Clients, Rooms, Dependencies and Stale are current values. The others count from the
// router's start.
type Stats struct {
	// Clients is the number of open streams.
	Clients int64
	// Rooms is the number of keys that open streams follow, each counted once for an adapter.
	Rooms int64
	// Dependencies is the number of keys that the states of those depend on by [DependOn], each counted once for a state.
	Dependencies int64
	// Stale is the number of those keys whose state cannot be loaded or sent, for so long that their clients were told.
	Stale int64
	// Loads counts the calls of Load, for rooms and for plain GET requests.
	Loads int64
	// LoadErrors counts the loads that failed, including those that returned a 4xx [StatusError].
	LoadErrors int64
	// Frames counts the events that were written to clients, without heartbeats.
	Frames int64
	// Bytes counts the bytes of those events, without what the transport adds.
	Bytes int64
	// Skipped counts the states that a client was not sent because a newer one was there before it was ready.
	Skipped int64
	// Slow counts how often a connection that was taken over could not take a frame at once.
	Slow int64
	// Refused counts the streams that were turned away because of a limit.
	Refused int64
	// Dropped counts the clients that were disconnected for being too slow: a write outlasted WriteTimeout, or
	// the queue of an adapter that is not an [Adapter] was full.
	Dropped int64
}

// Stats returns the current counters.
func (r *Router) Stats() Stats {
	c := &r.metrics.Counters

	return Stats{
		Clients:      c.Clients.Load(),
		Rooms:        c.Rooms.Load(),
		Dependencies: c.Dependencies.Load(),
		Stale:        c.Stale.Load(),
		Loads:        c.Loads.Load(),
		LoadErrors:   c.LoadErrors.Load(),
		Frames:       c.Frames.Load(),
		Bytes:        c.Bytes.Load(),
		Skipped:      c.Skipped.Load(),
		Slow:         c.Slow.Load(),
		Refused:      c.Refused.Load(),
		Dropped:      c.Dropped.Load(),
	}
}

// tellStale tells clients when their state may be out of date.
func (r *Router) tellStale() {
	after := r.config.LoadTimeout*3/2 + r.config.MinLoadInterval // A load may time out once.
	for backoff.Sleep(r.closed, r.config.LoadTimeout/4) {
		for _, h := range r.allHandlers() {
			h.rooms.TellStale(after)
		}
	}
}

func (r *Router) allHandlers() []*handler {
	r.mu.Lock()
	defer r.mu.Unlock()

	return slices.Clone(r.handlers)
}

// Check returns an error that names keys whose state cannot be loaded or sent, for so long that their clients were told:
// those that [Stats].Stale counts. It is for a page or an alert of the operator. As a probe that takes an instance out of
// service it fits only where another instance would do better.
func (r *Router) Check(context.Context) error {
	const named = 5
	var keys []string
	for key := range r.Keys() {
		if key.Stale != nil {
			keys = append(keys, fmt.Sprintf("%q of %s", key.Key, key.Topics))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	more := ""
	if len(keys) > named {
		more = fmt.Sprintf(" and %d more", len(keys)-named)
		keys = keys[:named]
	}

	return fmt.Errorf("states that clients follow are stale: %s%s", strings.Join(keys, ", "), more)
}

// KeyStats is a key that open streams follow.
type KeyStats struct {
	// Topics are those of the handler, separated by commas.
	Topics string
	Key    string
	// Clients is the number of streams that follow the key. One that follows several keys counts for each.
	Clients int
	// Stale is why the clients are shown an old state, or nil.
	Stale error
}

// Keys returns the keys that open streams follow, in no order. What changes meanwhile may be missing.
func (r *Router) Keys() iter.Seq[KeyStats] {
	return func(yield func(KeyStats) bool) {
		for _, h := range r.allHandlers() {
			more := h.rooms.Followed(func(key string, clients int, stale error) bool {
				return yield(KeyStats{Topics: h.topics, Key: key, Clients: clients, Stale: stale})
			})
			if !more {
				return
			}
		}
	}
}
