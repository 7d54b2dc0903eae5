//go:build linux

package contestant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/ThreeDotsLabs/watermill"
	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/feedmill/feedmill/ssestream"
)

const topic = "feed-updated"

// feedUpdated announces a change.
type feedUpdated struct {
	Feed string `json:"feed"`
}

// router is the part of both routers that an application uses.
type router interface {
	AddHandler(topic string, adapter watermillhttp.StreamAdapter) http.HandlerFunc
	Run(ctx context.Context) error
	Running() chan struct{}
}

// routed is a contestant that receives changes as Watermill messages, over Go channels.
type routed struct {
	http.Handler
	publisher message.Publisher
	eventID   func(n int64) string
}

// formerID has the form of feedmill's event IDs, which are hashes. Clients that reconnect name a state that is not the
// current one, whichever.
func formerID(int64) string { return "hash-of-the-last" }

// newFeedmill returns ssestream.Router with a typed adapter and default settings. An adapter has to allow compression.
func newFeedmill(ctx context.Context, feed *Feed, compress bool) (Contestant, error) {
	return newRouted(ctx, feed, compress, formerID, func(subscriber message.Subscriber) (router, error) {
		return ssestream.NewRouter(ssestream.RouterConfig{UpstreamSubscriber: subscriber}, watermill.NopLogger{})
	})
}

// newStock returns watermill-http's SSERouter with the same adapter. Its events have no IDs.
func newStock(ctx context.Context, feed *Feed) (Contestant, error) {
	noID := func(int64) string { return "" }

	return newRouted(ctx, feed, false, noID, func(subscriber message.Subscriber) (router, error) {
		return watermillhttp.NewSSERouter(
			watermillhttp.SSERouterConfig{UpstreamSubscriber: subscriber}, watermill.NopLogger{},
		)
	})
}

func newRouted(
	ctx context.Context, feed *Feed, compress bool, eventID func(int64) string,
	newRouter func(message.Subscriber) (router, error),
) (Contestant, error) {
	adapter, err := newAdapter(feed, compress)
	if err != nil {
		return nil, err
	}
	events := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	r, err := newRouter(events)
	if err != nil {
		return nil, fmt.Errorf("make router: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{feed}", r.AddHandler(topic, adapter))

	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	select {
	case <-r.Running():
		return routed{Handler: mux, publisher: events, eventID: eventID}, nil
	case err := <-ended:
		return nil, errors.Join(errors.New("router ended before it ran"), err)
	}
}

func newAdapter(feed *Feed, compress bool) (watermillhttp.StreamAdapter, error) {
	return ssestream.AdapterBuilder[feedUpdated, State]{
		RequestKey: func(r *http.Request) (string, error) { return r.PathValue("feed"), nil },
		EventKeys:  func(event feedUpdated) []string { return []string{event.Feed} },
		Load:       feed.Load,
		Compress:   compress,
	}.Build()
}

// Announce publishes an event that says that the feed has changed. The adapter then loads it.
func (c routed) Announce() error {
	payload, err := json.Marshal(feedUpdated{Feed: "go"})
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}

	return c.publisher.Publish(topic, message.NewMessage(watermill.NewUUID(), payload))
}

// EventID returns an ID if the router's events have IDs.
func (c routed) EventID(n int64) string { return c.eventID(n) }
