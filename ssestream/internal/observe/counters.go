// Package observe counts and traces what a router does.
package observe

import "sync/atomic"

// Counters are what a router counts; ssestream.Stats says what each is.
type Counters struct {
	Clients, Rooms, Loads, LoadErrors, Frames, Bytes, Skipped, Slow, Refused, Dropped atomic.Int64
}
