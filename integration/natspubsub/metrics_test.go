package natspubsub_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestStreamMetrics reads how much room topics have, and who has not read what.
func TestStreamMetrics(t *testing.T) {
	t.Parallel()
	stream := ensure(t, connect(t, servers.NATS(t)), natspubsub.StreamConfig{
		Name: "s-" + watermill.NewShortUUID(), MaxMessages: 100, MaxBytes: 1 << 20,
	})
	reader := metric.NewManualReader()
	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{MeterProvider: metric.NewMeterProvider(metric.WithReader(reader))})
	require.NoError(t, err)
	away := newDurable(t, stream, natspubsub.DurableConfig{Name: "away"})
	subscribe(t, away, "post created")
	require.NoError(t, away.Close())
	publish(t, publisher, "post created", numbered(0, 30)...)
	publish(t, publisher, "poison", numbered(0, 2)...)

	collect := func() map[string]map[string]float64 {
		var found metricdata.ResourceMetrics
		require.NoError(t, reader.Collect(t.Context(), &found))
		values := map[string]map[string]float64{}
		add := func(name string, attributes attribute.Set, value float64) {
			topic, _ := attributes.Value("natspubsub.topic")
			consumer, _ := attributes.Value("natspubsub.consumer")
			if values[name] == nil {
				values[name] = map[string]float64{}
			}
			values[name][topic.AsString()+" "+consumer.AsString()] = value
		}
		for _, scope := range found.ScopeMetrics {
			for _, m := range scope.Metrics {
				switch gauge := m.Data.(type) {
				case metricdata.Gauge[int64]:
					for _, p := range gauge.DataPoints {
						add(m.Name, p.Attributes, float64(p.Value))
					}
				case metricdata.Gauge[float64]:
					for _, p := range gauge.DataPoints {
						add(m.Name, p.Attributes, p.Value)
					}
				}
			}
		}

		return values
	}
	values := collect()
	assert.Equal(t, map[string]float64{"post created ": 30, "poison ": 2}, values["natspubsub.topic.messages"])
	assert.Equal(t, map[string]float64{"post created ": 70, "poison ": 98}, values["natspubsub.topic.headroom"])
	assert.Equal(t, map[string]float64{"post created away@post%20created": 30}, values["natspubsub.topic.unread"])
	assert.Positive(t, values["natspubsub.topic.unread.age"]["post created away@post%20created"])
	assert.Less(t, values["natspubsub.stream.headroom"][" "], float64(1<<20))
	require.NoError(t, publisher.Close())
	assert.Empty(t, collect())
}
