// Package app is the whole microblog on a set of parts: posts, their feeds, and the pages that follow.
package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/sync/errgroup"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/demo"
	"github.com/feedmill/feedmill/examples/microblog/live"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/examples/microblog/web"
	"github.com/feedmill/feedmill/ssestream"
)

// Parts is what the microblog stands on. Package stack opens those that the command offers.
type Parts struct {
	// Posts is the write model. Its events go to Outbox.
	Posts  api.Posts
	Outbox outbox.Outbox
	// Feeds is the read model.
	Feeds readmodel.Store[post.Post]
	// Broker carries the events between instances. Without one they stay in this process.
	Broker *feedmill.Broker
	// Live tells the other instances what changed, if there is no Broker.
	Live feedmill.Live
	// Checks fail while the servers behind the parts cannot be reached.
	Checks []func(ctx context.Context) error
	// Runs says on what each part runs, without passwords: its kind, such as "mysql", and where that is.
	Runs []slog.Attr
	// Metrics are those of the parts, which the microblog adds its own to.
	Metrics *Metrics

	// The rest may be left out.

	// Spans take the spans of all commands and of what these cause. They are shut down with the microblog.
	Spans []sdktrace.SpanProcessor
	// Operators is where the operators' page is served: see feedmill.Config.
	Operators net.Listener
	// Limits bound what a client can do.
	Limits Limits
	// Demo has the microblog take load and break its parts when somebody on this machine asks for it.
	Demo *demo.Times
}

// App is the microblog.
type App struct {
	*feedmill.App

	handler http.Handler
	live    *live.Live
	demo    *demo.Demo // nil for none
	traces  *sdktrace.TracerProvider
}

// New wires the microblog. It starts nothing.
func New(parts Parts, log *slog.Logger) (*App, error) {
	logger, mux := watermill.NewSlogLogger(log), http.NewServeMux()
	shown := live.Config{Ring: live.NewRing(), Reader: parts.Metrics.reader, Runs: parts.Runs, Broker: parts.Broker != nil}
	traces := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(shown.Ring))
	for _, spans := range parts.Spans {
		traces.RegisterSpanProcessor(spans)
	}
	var demonstration *demo.Demo
	if parts.Demo != nil { // which puts what can break parts around them
		demonstration = demo.New(demo.Config{
			Posts: parts.Posts, Feeds: parts.Feeds, Outbox: parts.Outbox, Broker: parts.Broker,
			Ring: shown.Ring, Tracer: traces.Tracer(live.Scope), Times: *parts.Demo,
		})
		parts.Feeds, parts.Outbox, parts.Broker = demonstration.Feeds(), demonstration.Outbox(), demonstration.Broker()
		shown.Demo = demonstration.State
	}
	app, err := feedmill.New(feedmill.Config{
		Outbox:         parts.Outbox,
		Broker:         parts.Broker,
		Live:           parts.Live,
		Checks:         parts.Checks,
		Operators:      parts.Operators,
		MeterProvider:  parts.Metrics.Provider,
		TracerProvider: traces,
	}, logger)
	if err != nil {
		return nil, err
	}
	routes, err := api.New(app, parts.Posts, parts.Feeds)
	if err != nil {
		return nil, err
	}
	ways, err := live.New(shown, logger)
	if err != nil {
		return nil, err
	}
	mux.Handle("/", web.Handler())
	mux.Handle("/api/", limitWrites(parts.Limits, app, routes))
	mux.Handle("/api/live", ways)
	mux.Handle("/api/live/", ways)
	if demonstration != nil {
		demonstration.Watch(app.Router())
		mux.Handle("/api/demo", demonstration.Handler(app.WriteError))
	}
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {}) // it lives
	mux.HandleFunc("GET /readyz", app.ServeReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(parts.Metrics.registry, promhttp.HandlerOpts{}))
	return &App{App: app, handler: secure(app, mux), live: ways, demo: demonstration, traces: traces}, nil
}

// Handler serves the API and the pages. Streams need Run.
func (a *App) Handler() http.Handler { return a.handler }

// maxHeader is how many bytes of headers a request may have. The names of 16 streams in an address are the largest.
const maxHeader = 64 << 10

// Run serves on listener until ctx ends, and then stops in order. An error means that a part could not go on.
func (a *App) Run(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: a.handler, ReadTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeader}
	parts, running := errgroup.WithContext(ctx)
	parts.Go(func() error { return a.Serve(running, server, listener) })
	parts.Go(func() error { return a.live.Run(running) })
	if a.demo != nil {
		parts.Go(func() error { a.demo.Run(running, listener.Addr()); return nil })
	}
	err := parts.Wait()
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, a.traces.Shutdown(flush))
}

// secure sets the headers that keep pages from running or framing what is not the microblog's, and refuses commands that
// pages of other sites send.
func secure(app *feedmill.App, next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	return ssestream.Before(func(w http.ResponseWriter, r *http.Request) http.Handler {
		w.Header().Set("Content-Security-Policy",
			"default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "same-origin")
		if sameOrigin.Check(r) != nil {
			app.WriteError(w, r, &ssestream.StatusError{Status: http.StatusForbidden, Field: "Origin", Err: errors.New("is another site")})
			return nil
		}
		return next
	})
}
