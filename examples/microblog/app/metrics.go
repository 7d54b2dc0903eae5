package app

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// Metrics are what /metrics and the page of live figures show. They are made before the parts, which measure too.
type Metrics struct {
	// Provider measures into them.
	Provider metric.MeterProvider

	registry *prometheus.Registry
	reader   *sdkmetric.ManualReader
}

// NewMetrics returns the metrics of a process.
func NewMetrics() (*Metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("make exporter of metrics: %w", err)
	}
	reader := sdkmetric.NewManualReader()
	return &Metrics{
		Provider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithReader(reader)),
		registry: registry, reader: reader,
	}, nil
}
