//go:build linux

package contestant

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/feedmill/feedmill"
)

// served is a feedmill.App, which runs the server.
type served struct {
	routed

	app *feedmill.App
}

// newFeedmillApp returns a feedmill.App without middleware of an application.
func newFeedmillApp(feed *Feed) (Contestant, error) {
	events := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	app, err := feedmill.New(feedmill.Config{Broker: &feedmill.Broker{Publisher: events, Live: events}}, watermill.NopLogger{})
	if err != nil {
		return nil, fmt.Errorf("make app: %w", err)
	}
	adapter, err := newAdapter(feed, false)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{feed}", app.Handle(adapter, topic))

	return served{routed: routed{Handler: app.Problems(mux), publisher: events, eventID: formerID}, app: app}, nil
}

// Serve implements Server.
func (c served) Serve(ctx context.Context, server *http.Server, listener net.Listener) error {
	return c.app.Serve(ctx, server, listener)
}

// watched has middleware that sees requests begin and end.
type watched struct {
	Contestant

	open atomic.Int64
}

func newFeedmillMiddleware(ctx context.Context, feed *Feed) (Contestant, error) {
	inner, err := newFeedmill(ctx, feed, false)

	return &watched{Contestant: inner}, err
}

// ServeHTTP implements http.Handler.
func (c *watched) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.open.Add(1)
	defer c.open.Add(-1)
	c.Contestant.ServeHTTP(w, r)
}

// wrapped has middleware that sees the status of responses, as loggers do.
type wrapped struct {
	Contestant

	failed atomic.Int64
}

func newFeedmillWrapped(ctx context.Context, feed *Feed) (Contestant, error) {
	inner, err := newFeedmill(ctx, feed, false)

	return &wrapped{Contestant: inner}, err
}

// ServeHTTP implements http.Handler.
func (c *wrapped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen := &statusWriter{ResponseWriter: w}
	c.Contestant.ServeHTTP(seen, r)
	if seen.status >= http.StatusInternalServerError {
		c.failed.Add(1)
	}
}

// statusWriter notes the status of a response.
type statusWriter struct {
	http.ResponseWriter

	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
