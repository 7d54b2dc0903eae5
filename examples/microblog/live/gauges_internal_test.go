package live

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// TestGaugesWhileAPartIsAway: what the others tell is shown, and without the metric of one that is away nothing is made up.
func TestGaugesWhileAPartIsAway(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("parts")
	for name, failure := range map[string]error{"cqrsfeed.outbox.depth": nil, "natspubsub.topic.unread": errors.New("away")} {
		_, err := meter.Int64ObservableGauge(name, metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			if failure == nil {
				o.Observe(7)
			}
			return failure
		}))
		require.NoError(t, err)
	}
	values, err := gauges(t.Context(), reader)
	require.NoError(t, err)
	require.Equal(t, map[string]float64{"cqrsfeed.outbox.depth": 7}, values)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = gauges(ended, reader)
	require.ErrorIs(t, err, context.Canceled)
}
