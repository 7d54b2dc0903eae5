package app

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readyTimeout bounds a readiness check, so that a hanging server counts as an unreachable one.
const readyTimeout = 3 * time.Second

// operations registers what the people and machines that run the microblog look at.
func (a *App) operations(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n")) // a prober that went away needs no answer
	})
	mux.HandleFunc("GET /readyz", a.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics(), promhttp.HandlerOpts{}))
}

// ready answers 200 when the router runs and every server behind the parts can be reached.
func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	select {
	case <-a.router.Running():
	default:
		http.Error(w, "the router is not running yet", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := a.parts.Ping(ctx); err != nil {
		a.logger.WarnContext(ctx, "Not ready", "error", err)
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n")) // a prober that went away needs no answer
}

// metrics collects what the router counts, and the process's own figures.
func (a *App) metrics() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge := func(name, help string, value func() float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "microblog_sse_" + name, Help: help}, value))
	}
	counter := func(name, help string, value func() float64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "microblog_sse_" + name, Help: help}, value))
	}
	gauge("clients", "Open streams.", func() float64 { return float64(a.router.Stats().Clients) })
	gauge("rooms", "States that somebody follows.", func() float64 { return float64(a.router.Stats().Rooms) })
	counter("loads_total", "Loads of a state.", func() float64 { return float64(a.router.Stats().Loads) })
	counter("load_errors_total", "Loads that failed.", func() float64 { return float64(a.router.Stats().LoadErrors) })
	counter("frames_total", "Events written to streams.", func() float64 { return float64(a.router.Stats().Frames) })
	return registry
}
