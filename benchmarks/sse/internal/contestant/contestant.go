//go:build linux

// Package contestant has the servers that are measured side by side. Each serves the same [Feed] to any number of
// clients, as its documentation would have it for state that many browsers follow.
package contestant

import (
	"context"
	"fmt"
	"net/http"
)

// Contestant is a server of one feed. Its handler answers GET requests for [Path] with a stream that begins with
// the feed's state, and with each state that is announced. It lives as long as the process.
type Contestant interface {
	http.Handler

	// Announce has the feed's state sent to all clients. It may block for as long as a client does not read. It is
	// called by one goroutine.
	Announce() error

	// EventID returns the ID that the event of state n has, which a browser sends back as Last-Event-ID, or "" if
	// the contestant's events have none.
	EventID(n int64) string
}

// Path is where the feed is. The name of the feed is in its path and, for the contestants that want it there, in
// its query.
const Path = "/feeds/go?stream=go"

// The contestants.
const (
	Floor    = "floor"
	Feedmill = "feedmill"
	Stock    = "stock"
	GoSSE    = "go-sse"
	R3Labs   = "r3labs"
)

// Names returns all contestants in the order in which they are reported.
func Names() []string { return []string{Floor, Feedmill, Stock, GoSSE, R3Labs} }

// New starts the named contestant. The recording is what [Floor] repeats; the others do without.
func New(ctx context.Context, name string, feed *Feed, recording Recording) (Contestant, error) {
	switch name {
	case Floor:
		return newFloor(feed, recording)
	case Feedmill:
		return newFeedmill(ctx, feed)
	case Stock:
		return newStock(ctx, feed)
	case GoSSE:
		return newGoSSE(ctx, feed)
	case R3Labs:
		return newR3Labs(ctx, feed)
	default:
		return nil, fmt.Errorf("start contestant %q: there is none of that name, only %v", name, Names())
	}
}
