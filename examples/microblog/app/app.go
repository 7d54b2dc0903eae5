// Package app is the whole microblog on a set of parts: posts, their feeds, and the pages that follow.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
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
	// Checks fail while the servers behind the parts cannot be reached.
	Checks []func(ctx context.Context) error
	// Runs says on what each part runs, without passwords: its kind, such as "mysql", and where that is.
	Runs []slog.Attr
	// Metrics are those of the parts, which the microblog adds its own to. Required.
	Metrics *Metrics
	// Spans take the spans of all commands and of what these cause, such as a batcher of an exporter. They are shut down with
	// the microblog.
	Spans []sdktrace.SpanProcessor
	// Operators is where the operators' page is served, while the microblog runs. Who reaches it is an operator: the microblog
	// knows no users. Defaults to none.
	Operators net.Listener
	// Limits bound what a client can do. Defaults to none.
	Limits Limits
	// Demo has the microblog take load and break its parts when somebody on this machine asks for it. Defaults to none.
	Demo *demo.Times
}

// maxHeader is how many bytes of headers a request may have. The names of 16 streams in an address are the largest.
const maxHeader = 64 << 10

// App is the microblog.
type App struct {
	*feedmill.App

	handler    http.Handler
	operators  net.Listener // nil for none
	operations *http.Server
	live       *live.Live
	demo       *demo.Demo // nil for none
	traces     *sdktrace.TracerProvider
}

// New wires the microblog. It starts nothing.
func New(parts Parts, logger *slog.Logger) (*App, error) {
	ring := live.NewRing()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ring))
	for _, spans := range parts.Spans {
		traces.RegisterSpanProcessor(spans)
	}
	var demonstration *demo.Demo
	if parts.Demo != nil {
		demonstration = parts.demonstrate(ring, traces.Tracer(live.Scope))
	}
	app, err := feedmill.New(feedmill.Config{
		Outbox:         parts.Outbox,
		Broker:         parts.Broker,
		Checks:         parts.Checks,
		MeterProvider:  parts.Metrics.Provider,
		TracerProvider: traces,
	}, watermill.NewSlogLogger(logger))
	if err != nil {
		return nil, err
	}
	routes, err := api.New(app, parts.Posts, parts.Feeds)
	if err != nil {
		return nil, err
	}
	operations, err := app.Operations()
	if err != nil {
		return nil, err
	}
	stations, err := live.Stations(parts.on)
	if err != nil {
		return nil, err
	}
	showing := live.Config{Ring: ring, Reader: parts.Metrics.reader, Broker: parts.Broker != nil, Stations: stations}
	if demonstration != nil {
		demonstration.Watch(app.Router())
		showing.Demo = demonstration.State
	}
	shown, err := live.New(showing, watermill.NewSlogLogger(logger))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", limitWrites(parts.Limits, app, routes))
	mux.Handle("/api/live", shown)
	mux.Handle("/api/live/", shown)
	if demonstration != nil {
		mux.Handle("/api/demo", demonstration.Handler(app.WriteError))
	}
	mux.Handle("/", web.Handler())
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {}) // it lives
	mux.HandleFunc("GET /readyz", app.ServeReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(parts.Metrics.registry, promhttp.HandlerOpts{}))
	return &App{
		App: app, handler: secure(app, mux), live: shown, demo: demonstration, traces: traces,
		operators: parts.Operators, operations: newServer(operate.ByAddress(operations)),
	}, nil
}

// demonstrate puts what can break parts around them.
func (p *Parts) demonstrate(ring *live.Ring, tracer trace.Tracer) *demo.Demo {
	d := demo.New(demo.Config{Posts: p.Posts, Feeds: p.Feeds, Outbox: p.Outbox, Broker: p.Broker, Ring: ring, Tracer: tracer, Times: *p.Demo})
	p.Feeds, p.Outbox, p.Broker = d.Feeds(), d.Outbox(), d.Broker()
	return d
}

// on reports whether a part runs on that kind of server.
func (p Parts) on(kind string) bool {
	return slices.ContainsFunc(p.Runs, func(a slog.Attr) bool { return a.Key == kind })
}

// Handler serves the API and the pages. Streams need Run.
func (a *App) Handler() http.Handler { return a.handler }

// Run serves on listener until ctx ends, and then stops in order. An error means that a part could not go on.
func (a *App) Run(ctx context.Context, listener net.Listener) error {
	parts, running := errgroup.WithContext(ctx)
	parts.Go(func() error { return a.Serve(running, newServer(a.handler), listener) })
	parts.Go(func() error { return a.live.Run(running) })
	if a.demo != nil {
		parts.Go(func() error { a.demo.Run(running, listener.Addr()); return nil })
	}
	if a.operators != nil {
		context.AfterFunc(running, func() { _ = a.operations.Close() }) // no request is worth waiting for
		parts.Go(func() error {
			if err := a.operations.Serve(a.operators); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve the operators' page: %w", err)
			}
			return nil
		})
	}
	err := parts.Wait()
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, a.traces.Shutdown(flush))
}

// newServer returns a server with limits for what a client sends.
func newServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeader}
}

// secure sets the headers that keep pages from running or framing what is not the microblog's, and refuses commands that
// pages of other sites send.
func secure(app *feedmill.App, next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		app.WriteError(w, r, &ssestream.StatusError{Status: http.StatusForbidden, Field: "Origin", Err: errors.New("is another site")})
	}))
	next = sameOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy",
			"default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}
