//go:build linux

// Package contestant has the servers that are measured side by side. Each serves the same [Feed] to any number of clients,
// in the way that its documentation recommends for a state that many browsers follow.
package contestant

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
)

// Contestant is a server of one feed. A GET request for the path of its [Kind] receives a stream that starts with the feed's
// state and continues with each announced state. A Contestant lives as long as the process.
type Contestant interface {
	http.Handler

	// Announce sends the feed's state to all clients. It may block while a client does not read. Only one goroutine
	// may call it.
	Announce() error

	// EventID returns the event ID of state n, or one like it, which a browser sends back as Last-Event-ID. It is "" if
	// the events have no ID.
	EventID(n int64) string
}

// External is an optional interface of a contestant that runs a program of its own. That program is measured, and the
// contestant serves no requests.
type External interface {
	Address() string
	PID() int

	// Memory has it collect its garbage, and returns the bytes of its heap and of its stacks.
	Memory() (heap, stacks int64, err error)
}

// Server is an optional interface of a contestant that runs the http.Server itself.
type Server interface {
	Serve(ctx context.Context, server *http.Server, listener net.Listener) error
}

// path is the path of the feed. It contains the feed's name twice, because some contestants expect it in the query.
const path = "/feeds/go?stream=go"

// The contestants.
const (
	Floor           = "floor"
	Feedmill        = "feedmill"
	FeedmillGzip    = "feedmill-gzip"
	FeedmillZstd    = "feedmill-zstd"
	Stock           = "stock"
	GoSSE           = "go-sse"
	R3Labs          = "r3labs"
	DatastarGzip    = "datastar-gzip"
	DatastarZstd    = "datastar-zstd"
	Centrifugo      = "centrifugo"
	CentrifugoDelta = "centrifugo-delta"
)

// Feedmill as applications have it: as a feedmill.App, and behind middleware that passes on the http.ResponseWriter or wraps it.
const (
	FeedmillApp        = "feedmill-app"
	FeedmillMiddleware = "feedmill-middleware"
	FeedmillWrapped    = "feedmill-wrapped"
)

// Kind is what clients have to know of a contestant.
type Kind struct {
	Name     string
	Path     string
	Encoding string // the only one that its clients accept, "" for those of a browser
	Opaque   bool   // what it sends cannot be searched for a state: it is compressed, or a difference
	Most     int    // limit of its clients, each of which costs much; 0 is none
	Program  bool   // it is Centrifugo's
	Extra    bool   // it is measured only if it is asked for
}

// Kinds returns all contestants in the order of the report.
func Kinds() []Kind {
	return []Kind{
		{Name: Floor, Path: path},
		{Name: Feedmill, Path: path},
		{Name: FeedmillGzip, Path: path, Encoding: "gzip", Opaque: true},
		{Name: FeedmillZstd, Path: path, Encoding: "zstd", Opaque: true},
		{Name: Stock, Path: path},
		{Name: GoSSE, Path: path},
		{Name: R3Labs, Path: path},
		{Name: DatastarGzip, Path: path, Encoding: "gzip", Opaque: true, Most: 100},
		{Name: DatastarZstd, Path: path, Encoding: "zstd", Opaque: true, Most: 100},
		{Name: Centrifugo, Path: centrifugoPath(`{}`), Program: true},
		{Name: CentrifugoDelta, Path: centrifugoPath(`{"delta":"fossil"}`), Opaque: true, Program: true},
		{Name: FeedmillApp, Path: path, Extra: true},
		{Name: FeedmillMiddleware, Path: path, Extra: true},
		{Name: FeedmillWrapped, Path: path, Extra: true},
	}
}

// KindOf returns the named contestant's kind.
func KindOf(name string) (Kind, error) {
	kinds := Kinds()
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, fmt.Errorf("contestant %q: unknown name, use one of %v", name, All())
	}

	return kinds[i], nil
}

// All returns the names of all contestants in the order of the report.
func All() []string { return names(func(Kind) bool { return true }) }

// Names returns the contestants that are measured if none is asked for.
func Names() []string { return names(func(k Kind) bool { return !k.Extra }) }

// Whole returns the contestants of this program that send whole states.
func Whole() []string { return names(func(k Kind) bool { return !k.Opaque && !k.Program }) }

func names(of func(Kind) bool) []string {
	var names []string
	for _, kind := range Kinds() {
		if of(kind) {
			names = append(names, kind.Name)
		}
	}

	return names
}

// Options are what some contestants need.
type Options struct {
	Recording  Recording // for the floor
	Centrifugo string    // path of the program
}

// New starts the named contestant.
func New(ctx context.Context, name string, feed *Feed, options Options) (Contestant, error) {
	switch name {
	case Floor:
		return newFloor(feed, options.Recording)
	case Feedmill:
		return newFeedmill(ctx, feed, false)
	case FeedmillGzip, FeedmillZstd:
		return newFeedmill(ctx, feed, true)
	case FeedmillApp:
		return newFeedmillApp(feed) //nolint:contextcheck // its streams end with the process
	case FeedmillMiddleware:
		return newFeedmillMiddleware(ctx, feed)
	case FeedmillWrapped:
		return newFeedmillWrapped(ctx, feed)
	case Stock:
		return newStock(ctx, feed)
	case GoSSE:
		return newGoSSE(ctx, feed)
	case R3Labs:
		return newR3Labs(ctx, feed)
	case DatastarGzip, DatastarZstd:
		return newDatastar(ctx, feed)
	case Centrifugo, CentrifugoDelta:
		return newCentrifugo(ctx, feed, options.Centrifugo, name == CentrifugoDelta)
	default:
		_, err := KindOf(name)

		return nil, err
	}
}
