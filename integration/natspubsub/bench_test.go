package natspubsub_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
)

func benchStream(b *testing.B) *natspubsub.Stream {
	b.Helper()

	return ensure(b, connect(b, startBroker(b).running.ClientURL()), natspubsub.StreamConfig{Name: "bench"})
}

// BenchmarkRawPublish is the floor: one synchronous publish by the client library.
func BenchmarkRawPublish(b *testing.B) {
	nc := connect(b, startBroker(b).running.ClientURL())
	name := "bench"
	ensure(b, nc, natspubsub.StreamConfig{Name: name})
	js, err := jetstream.New(nc)
	require.NoError(b, err)
	for b.Loop() {
		if _, err := js.Publish(b.Context(), name+".posts", []byte("x")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPublishOne(b *testing.B) {
	publisher := newPublisher(b, benchStream(b))
	for b.Loop() {
		publish(b, publisher, "posts", numbered(0, 1)...)
	}
}

func BenchmarkPublishBatchOf100(b *testing.B) {
	publisher := newPublisher(b, benchStream(b))
	for b.Loop() {
		publish(b, publisher, "posts", numbered(0, 100)...)
	}
	b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkIdleDelivery measures from the call of Publish to the delivery on an idle system.
func BenchmarkIdleDelivery(b *testing.B) {
	b.Run("durable", func(b *testing.B) {
		stream := benchStream(b)
		publisher, messages := newPublisher(b, stream), subscribe(b, newDurable(b, stream, natspubsub.DurableConfig{}), "posts")
		for b.Loop() {
			publish(b, publisher, "posts", numbered(0, 1)...)
			payload(b, messages)
		}
	})
	b.Run("live", func(b *testing.B) {
		stream := benchStream(b)
		publisher, messages := newPublisher(b, stream), subscribe(b, newLive(b, stream), "posts")
		for b.Loop() {
			publish(b, publisher, "posts", numbered(0, 1)...)
			payload(b, messages)
		}
	})
}

// BenchmarkDurableBacklog reads a backlog and acknowledges every message, one after the other.
func BenchmarkDurableBacklog(b *testing.B) {
	stream := benchStream(b)
	publisher := newPublisher(b, stream)
	for published := 0; published < b.N; published += 1000 {
		publish(b, publisher, "posts", numbered(0, 1000)...)
	}
	messages := subscribe(b, newDurable(b, stream, natspubsub.DurableConfig{}), "posts")
	b.ResetTimer()
	began := time.Now()
	for range b.N {
		payload(b, messages)
	}
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "messages/s")
}
