// Package app is the whole microblog: the HTTP API and pages, the relay that publishes the outbox, the
// projector that keeps the tag feeds, and the router that open pages follow.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/metric"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/examples/microblog/web"
	"github.com/feedmill/feedmill/ssestream"
)

// closeTimeout bounds each part of a clean shutdown: what has not ended by then is cut off. They end beside each other, but
// for the projector, which ends after the relay.
const closeTimeout = 10 * time.Second

// App is the microblog on a set of parts.
type App struct {
	parts    Parts
	logger   *slog.Logger
	relay    *outbox.Relay
	proj     *projector.Projector
	router   *ssestream.Router
	registry *prometheus.Registry
	handler  http.Handler
}

// New wires the microblog; it starts nothing.
func New(parts Parts, logger *slog.Logger) (*App, error) {
	if err := parts.Validate(); err != nil {
		return nil, fmt.Errorf("microblog parts: %w", err)
	}
	a := &App{parts: parts, logger: logger}
	watermillLogger := watermill.NewSlogLogger(logger)

	registry, meters, err := newMetrics()
	if err != nil {
		return nil, err
	}
	a.registry = registry
	if err := a.buildProjection(meters, watermillLogger); err != nil {
		return nil, err
	}
	return a, a.buildHandler(meters, watermillLogger)
}

// buildProjection makes the way from the write model to the feeds.
func (a *App) buildProjection(meters metric.MeterProvider, logger watermill.LoggerAdapter) (err error) {
	a.relay, err = outbox.NewRelay(outbox.RelayConfig{
		Outbox: a.parts.Outbox, Publisher: a.parts.Publisher, DrainTimeout: closeTimeout,

		MeterProvider:  meters,
		TracerProvider: a.parts.Traces,
	}, logger)
	if err != nil {
		return err
	}
	feeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[post.Post]{
		Store:   a.parts.Feeds,
		FeedsOf: FeedsOf,
	})
	if err != nil {
		return err
	}
	a.proj, err = projector.New(projector.Config{
		Name:          "tag-feeds",
		Subscriber:    a.parts.Work,
		Topics:        Topics().All(),
		Subscriptions: a.parts.WorkSubscriptions,
		Projection:    feeds,
		Publisher:     a.parts.Publisher,
		UpdatesTopic:  TopicFeedUpdated,
		PoisonTopic:   TopicPoison,
		CloseTimeout:  closeTimeout,

		MeterProvider:  meters,
		TracerProvider: a.parts.Traces,
	}, logger)
	return err
}

// FeedsOf are the feeds of a post: those of its tags.
func FeedsOf(item cqrsfeed.Item[post.Post]) []string { return item.Body.Tags }

// buildHandler makes the way from the feeds to the pages.
func (a *App) buildHandler(meters metric.MeterProvider, logger watermill.LoggerAdapter) (err error) {
	a.router, err = ssestream.NewRouter(ssestream.RouterConfig{
		UpstreamSubscriber: a.parts.Live,
		MeterProvider:      meters,
		TracerProvider:     a.parts.Traces,
		PublishTime:        cqrsfeed.MessageTime,
		ErrorHandler:       api.ErrorHandler(a.logger),
		CloseTimeout:       closeTimeout / 2, // the server's own shutdown comes after it
	}, logger)
	if err != nil {
		return err
	}
	routes := api.New(a.parts.Posts, a.parts.Feeds, a.logger)
	live, err := a.live(routes)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	if err := routes.Routes(mux, live); err != nil {
		return err
	}
	a.operations(mux)
	mux.Handle("/", web.Handler())
	a.handler = secure(mux, api.RefuseCrossOrigin)
	return nil
}

// Handler serves the API and the pages. Streams need Run.
func (a *App) Handler() http.Handler { return a.handler }

// Router is what open pages follow, for its statistics.
func (a *App) Router() *ssestream.Router { return a.router }

// Run serves on listener until ctx ends, then shuts down cleanly: streams are ended, requests and batches
// at hand are finished. An error means that a part could not go on.
func (a *App) Run(ctx context.Context, listener net.Listener) error {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// A Pub/Sub without a memory of its own drops what is published when nobody subscribes, and the relay would delete
	// it from the outbox: so the projector begins before the relay and ends after it.
	projecting, endProjector := context.WithCancel(context.WithoutCancel(ctx))
	defer endProjector()

	var parts sync.WaitGroup
	start := func(name string, run func(context.Context) error) {
		parts.Go(func() {
			if err := run(working); err != nil {
				stop(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	var spare unused
	server := &http.Server{
		Handler: a.handler, ConnState: spare.track,
		ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
	}
	server.RegisterOnShutdown(spare.close)
	start("relay", func(ctx context.Context) error {
		defer endProjector()
		select {
		case <-a.proj.Running():
			return a.relay.Run(ctx)
		case <-ctx.Done():
			return nil
		}
	})
	start("projector", func(context.Context) error { return a.proj.Run(projecting) })
	start("router", a.router.Run)
	start("http server", func(context.Context) error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})

	<-working.Done()
	err := a.shutdown(ctx, server)
	parts.Wait()
	if cause := context.Cause(working); ctx.Err() == nil {
		err = errors.Join(cause, err)
	}
	return err
}

// shutdown ends the streams first, since the server waits for every request to end.
func (a *App) shutdown(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	err := a.router.Close()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("shut the server down: %w", err), server.Close())
	}
	return err
}
