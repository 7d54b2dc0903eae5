// Package app is the whole microblog on a set of parts: posts, their feeds, and the pages that follow.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/web"
)

// App is the microblog.
type App struct {
	*feedmill.App

	handler http.Handler
}

// New wires the microblog. It starts nothing.
func New(parts Parts, logger *slog.Logger) (*App, error) {
	if err := parts.Validate(); err != nil {
		return nil, fmt.Errorf("microblog parts: %w", err)
	}
	registry, meters, err := newMetrics()
	if err != nil {
		return nil, err
	}
	a := &App{}
	a.App, err = feedmill.New(feedmill.Config{
		Outbox:         parts.Outbox,
		Broker:         parts.Broker,
		Checks:         []func(context.Context) error{parts.Ping},
		MeterProvider:  meters,
		TracerProvider: parts.Traces,
	}, watermill.NewSlogLogger(logger))
	if err != nil {
		return nil, err
	}
	routes, err := api.New(a.App, parts.Posts, parts.Feeds)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	if err := routes.Routes(mux); err != nil {
		return nil, err
	}
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) } // a prober that is gone needs no answer
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := a.Ready(r.Context()); err != nil {
			logger.WarnContext(r.Context(), "Not ready", "error", err)
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		ok(w, r)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("/", web.Handler())
	a.handler = secure(mux, routes.RefuseCrossOrigin)
	return a, nil
}

// Handler serves the API and the pages. Streams need Run.
func (a *App) Handler() http.Handler { return a.handler }

// Run serves on listener until ctx ends, and then stops in order. An error means that a part could not go on.
func (a *App) Run(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: a.handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	return a.Serve(ctx, server, listener)
}

// newMetrics returns the registry of what /metrics shows, and a provider that measures into it.
func newMetrics() (*prometheus.Registry, metric.MeterProvider, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, nil, fmt.Errorf("make exporter of metrics: %w", err)
	}
	return registry, sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)), nil
}

// secure sets the headers that keep pages from running or framing what is not the microblog's, and refuses commands that
// pages of other sites send.
func secure(next http.Handler, refuse http.HandlerFunc) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(refuse)
	next = sameOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy",
			"default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}
