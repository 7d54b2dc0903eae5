package live

import (
	"context"
	"fmt"
	"slices"
	"strings"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// gauges returns the current values of the parts' metrics, by name, each the sum over its attributes. They are those of
// /metrics. Histograms are left out, and what a part that cannot be reached would tell.
func gauges(ctx context.Context, reader *sdkmetric.ManualReader) (map[string]float64, error) {
	var read metricdata.ResourceMetrics
	// An error may be that of one part, beside which the others are read.
	if err := reader.Collect(ctx, &read); err != nil && len(read.ScopeMetrics) == 0 {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	values := map[string]float64{}
	for _, scope := range read.ScopeMetrics {
		for _, m := range scope.Metrics {
			if !slices.ContainsFunc(prefixes(), func(prefix string) bool { return strings.HasPrefix(m.Name, prefix) }) {
				continue
			}
			switch found := m.Data.(type) {
			case metricdata.Sum[int64]:
				values[m.Name] += sum(found.DataPoints)
			case metricdata.Gauge[int64]:
				values[m.Name] += sum(found.DataPoints)
			}
		}
	}
	return values, nil
}

// prefixes are those of the metrics that are shown.
func prefixes() []string {
	return []string{"cqrsfeed.outbox.", "cqrsfeed.relay.", "cqrsfeed.projector.", "natspubsub.topic.unread", "ssestream."}
}

func sum(points []metricdata.DataPoint[int64]) (total float64) {
	for _, p := range points {
		total += float64(p.Value)
	}
	return total
}
