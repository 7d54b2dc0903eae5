//go:build linux

package contestant

import (
	"context"
	"net/http"

	"github.com/r3labs/sse/v2"
)

// r3labs is r3labs/sse as its README shows it: a server with a created stream. It keeps all events, and sends a new client
// those after its Last-Event-ID, or all.
type r3labs struct {
	http.Handler
	server *sse.Server
	feed   *Feed
}

func newR3Labs(ctx context.Context, feed *Feed) (Contestant, error) {
	server := sse.New()
	server.CreateStream("go")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{feed}", server.ServeHTTP)
	c := r3labs{Handler: mux, server: server, feed: feed}

	return c, c.announce(ctx)
}

// Announce publishes the state to the queues of all clients. A full queue, of 64 events, blocks all.
func (c r3labs) Announce() error { return c.announce(context.Background()) }

func (c r3labs) announce(ctx context.Context) error {
	_, encoded, err := c.feed.loadJSON(ctx)
	if err != nil {
		return err
	}
	c.server.Publish("go", &sse.Event{Event: []byte("data"), Data: encoded})

	return nil
}

// EventID returns the event's index, because the stream numbers its events.
func (c r3labs) EventID(n int64) string { return digits(n - First) }
