//go:build linux

// Package contestant has the servers that are measured side by side. Each serves the same [Feed] to any number of clients,
// in the way that its documentation recommends for a state that many browsers follow.
package contestant

import (
	"context"
	"fmt"
	"net/http"
)

// Contestant is a server of one feed. A GET request for [Path] receives a stream that starts with the feed's state and
// continues with each announced state. A Contestant lives as long as the process.
type Contestant interface {
	http.Handler

	// Announce sends the feed's state to all clients. It may block while a client does not read. Only one goroutine
	// may call it.
	Announce() error

	// EventID returns the event ID of state n, or one like it, which a browser sends back as Last-Event-ID. It is "" if
	// the events have no ID.
	EventID(n int64) string
}

// Path is the path of the feed. It contains the feed's name twice, because some contestants expect it in the query.
const Path = "/feeds/go?stream=go"

// The contestants.
const (
	Floor    = "floor"
	Feedmill = "feedmill"
	Stock    = "stock"
	GoSSE    = "go-sse"
	R3Labs   = "r3labs"
)

// Names returns all contestants in the order of the report.
func Names() []string { return []string{Floor, Feedmill, Stock, GoSSE, R3Labs} }

// New starts the named contestant. Only [Floor] uses the recording.
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
		return nil, fmt.Errorf("start contestant %q: unknown name, use one of %v", name, Names())
	}
}
