package ssestream

import "sync/atomic"

// Stats is a snapshot of a router's counters. Clients and Rooms are as of now; the others count from the
// router's start.
type Stats struct {
	// Clients is the number of open streams.
	Clients int64
	// Rooms is the number of keys that open streams follow, each counted once an adapter.
	Rooms int64
	// Loads counts the calls of Load, for rooms and for plain GET requests.
	Loads int64
	// LoadErrors counts the loads that failed, those that were answered with a 4xx [StatusError] included.
	LoadErrors int64
	// Frames counts the events that were written to clients, heartbeats not included.
	Frames int64
	// Bytes counts the bytes of those events, without what the transport adds.
	Bytes int64
	// Skipped counts the states that a client was not sent because a newer one was there before it was ready.
	Skipped int64
	// Slow counts how often a connection could not take a frame at once and was given a goroutine of its own for it.
	// It is counted for connections that were taken over; others have a goroutine in any case.
	Slow int64
	// Refused counts the streams that were turned away because of a limit.
	Refused int64
	// Dropped counts the clients that were disconnected for being too slow: a write outlasted WriteTimeout, or
	// the queue of an adapter that is not an [Adapter] was full.
	Dropped int64
}

type counters struct {
	clients, rooms, loads, loadErrors, frames, bytes, skipped, slow, refused, dropped atomic.Int64
}

func (c *counters) snapshot() Stats {
	return Stats{
		Clients:    c.clients.Load(),
		Rooms:      c.rooms.Load(),
		Loads:      c.loads.Load(),
		LoadErrors: c.loadErrors.Load(),
		Frames:     c.frames.Load(),
		Bytes:      c.bytes.Load(),
		Skipped:    c.skipped.Load(),
		Slow:       c.slow.Load(),
		Refused:    c.refused.Load(),
		Dropped:    c.dropped.Load(),
	}
}
