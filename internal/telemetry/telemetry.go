// Package telemetry has what the components of the module share to log and to tell OpenTelemetry.
package telemetry

import (
	"github.com/ThreeDotsLabs/watermill"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Defaults sets the providers that are nil to OpenTelemetry's global ones.
func Defaults(meters *metric.MeterProvider, traces *trace.TracerProvider) {
	if *meters == nil {
		*meters = otel.GetMeterProvider()
	}
	if *traces == nil {
		*traces = otel.GetTracerProvider()
	}
}

// Logger returns the logger, or one on slog.Default for nil: a failure that nobody configured logging for must
// still be seen.
func Logger(logger watermill.LoggerAdapter) watermill.LoggerAdapter {
	if logger == nil {
		return watermill.NewSlogLogger(nil)
	}
	return logger
}
