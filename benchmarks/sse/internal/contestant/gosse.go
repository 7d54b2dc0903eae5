//go:build linux

package contestant

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tmaxmax/go-sse"
)

// goSSE is tmaxmax/go-sse: its Server with its provider Joe. The replayers of go-sse send nothing to a client without a
// Last-Event-ID, but a new client needs the state. So it has a replayer of its own, as the README of go-sse suggests.
type goSSE struct {
	http.Handler
	server *sse.Server
	feed   *Feed
}

func newGoSSE(ctx context.Context, feed *Feed) (Contestant, error) {
	server := &sse.Server{Provider: &sse.Joe{Replayer: &lastEvent{}}}
	mux := http.NewServeMux()
	mux.Handle("GET /feeds/{feed}", server)
	c := goSSE{Handler: mux, server: server, feed: feed}

	return c, c.announce(ctx)
}

// Announce publishes the state to one client after the other. A client that does not read blocks all.
func (c goSSE) Announce() error { return c.announce(context.Background()) }

func (c goSSE) announce(ctx context.Context) error {
	n, encoded, err := c.feed.loadJSON(ctx)
	if err != nil {
		return err
	}
	event := &sse.Message{ID: sse.ID(digits(n)), Type: sse.Type("data")}
	event.AppendData(string(encoded))
	if err := c.server.Publish(event); err != nil {
		return fmt.Errorf("publish state %d: %w", n, err)
	}

	return nil
}

// EventID returns the state's number.
func (c goSSE) EventID(n int64) string { return digits(n) }

// lastEvent is a sse.Replayer of the newest event. Joe calls it from one goroutine.
type lastEvent struct {
	event *sse.Message
}

// Put keeps the event as the newest.
func (l *lastEvent) Put(event *sse.Message, _ []string) (*sse.Message, error) {
	l.event = event

	return event, nil
}

// Replay sends the newest event to a new client that does not have it.
func (l *lastEvent) Replay(subscription sse.Subscription) error {
	if l.event == nil || l.event.ID == subscription.LastEventID {
		return nil
	}
	if err := subscription.Client.Send(l.event); err != nil {
		return err
	}

	return subscription.Client.Flush()
}
