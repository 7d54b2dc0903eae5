package ssestream

// Stats is a snapshot of a router's counters. Clients and Rooms are current values. The others count from the
// router's start.
type Stats struct {
	// Clients is the number of open streams.
	Clients int64
	// Rooms is the number of keys that open streams follow, each counted once for an adapter.
	Rooms int64
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
		Clients:    c.Clients.Load(),
		Rooms:      c.Rooms.Load(),
		Loads:      c.Loads.Load(),
		LoadErrors: c.LoadErrors.Load(),
		Frames:     c.Frames.Load(),
		Bytes:      c.Bytes.Load(),
		Skipped:    c.Skipped.Load(),
		Slow:       c.Slow.Load(),
		Refused:    c.Refused.Load(),
		Dropped:    c.Dropped.Load(),
	}
}
