package live

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"github.com/feedmill/feedmill/ssestream"
)

// Config says what is shown. All fields are required, but Demo.
type Config struct {
	Ring *Ring
	// Reader reads the metrics of all parts.
	Reader *sdkmetric.ManualReader
	// Runs says on what each part runs, by kind: "mysql", "mongodb", "nats" or "postgres". The stations tell.
	Runs []slog.Attr
	// Broker says whether one of the stations is a broker.
	Broker bool
	// Demo returns what a demonstration tells, to be encoded as JSON. Defaults to none.
	Demo func() any
}

// Live is the page's part of the server. It is served while Run runs.
type Live struct {
	config Config
	router *ssestream.Router
	mux    *http.ServeMux
}

// State is what the stream "live" carries.
type State struct {
	Ways    []Way              `json:"ways"`
	Metrics map[string]float64 `json:"metrics"`
	Demo    any                `json:"demo,omitempty"`
}

const (
	topic = "live"
	// interval is the time between two states, of which a window gets only those that differ. However many posts come
	// in between, they are one state.
	interval = 250 * time.Millisecond
)

// change is the event on the topic. There is one state only.
type change struct{}

// New returns the page's part of the server. It starts nothing.
func New(config Config, logger watermill.LoggerAdapter) (*Live, error) {
	if config.Demo == nil {
		config.Demo = func() any { return nil }
	}
	l := &Live{config: config, mux: http.NewServeMux()}
	adapter, err := ssestream.AdapterBuilder[change, State]{
		RequestKey: func(*http.Request) (string, error) { return topic, nil },
		EventKeys:  func(change) []string { return []string{topic} },
		Load: func(ctx context.Context, _ string) (State, error) {
			metrics, err := gauges(ctx, config.Reader)
			return State{Ways: config.Ring.Ways(config.Broker), Metrics: metrics, Demo: config.Demo()}, err
		},
	}.Build()
	if err != nil {
		return nil, err
	}
	// A router of its own: its loads and frames are not the microblog's.
	l.router, err = ssestream.NewRouter(ssestream.RouterConfig{
		MeterProvider: noopmetric.NewMeterProvider(), TracerProvider: nooptrace.NewTracerProvider(),
	}, logger)
	if err != nil {
		return nil, err
	}
	streams, err := l.router.AddStreamsHandler(ssestream.Stream{Pattern: topic, Topics: []string{topic}, Adapter: adapter})
	if err != nil {
		return nil, err
	}
	told, err := Stations(func(kind string) bool {
		return slices.ContainsFunc(config.Runs, func(a slog.Attr) bool { return a.Key == kind })
	})
	if err != nil {
		return nil, err
	}
	stations, err := json.Marshal(told)
	if err != nil {
		return nil, fmt.Errorf("encode the stations: %w", err)
	}
	l.mux.HandleFunc("GET /api/live", streams)
	l.mux.HandleFunc("GET /api/live/stations", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(stations) // a client that is gone needs no answer
	})
	return l, nil
}

// ServeHTTP serves what is below /api/live.
func (l *Live) ServeHTTP(w http.ResponseWriter, r *http.Request) { l.mux.ServeHTTP(w, r) }

// Run tells open windows what has changed, until ctx ends.
func (l *Live) Run(ctx context.Context) error {
	stopped := make(chan error, 1)
	go func() { stopped <- l.router.Run(ctx) }()
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for {
		select {
		case err := <-stopped:
			return err
		case <-ticks.C:
			if l.router.Stats().Clients > 0 {
				_ = l.router.Publish(topic, message.NewMessage(watermill.NewUUID(), message.Payload("{}"))) // it returns nil
			}
		}
	}
}
