package speed_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// BenchmarkIdleLatency measures from the return of Create to the FeedUpdated of the post's feeds in a subscriber's hands,
// one post after the other in an idle system, and beside each the raw steps that are the least it takes: a publish to
// JetStream, the commands of the feed store as the driver sends them in their simplest form, and another publish.
// to-steps is the one median by the other.
func BenchmarkIdleLatency(b *testing.B) {
	p := openPlace(b)
	store, _ := p.feeds(b)
	stopRelay := p.relay(b)
	_, stopProjecting := p.project(b, store)
	live, err := p.stream.NewLiveSubscriber(natspubsub.LiveConfig{})
	require.NoError(b, err)
	updates, err := live.Subscribe(b.Context(), feedUpdated)
	require.NoError(b, err)
	raw := newRawSteps(b, p)
	create := p.create(b)
	n := 0
	once := func() time.Duration {
		n++
		// The feeds take turns, so that what is said later of the one before, such as its count, is not taken for this.
		const turns = 100
		feeds := map[string]bool{fmt.Sprintf("go%d", n%turns): true, fmt.Sprintf("mongo%d", n%turns): true}
		require.NoError(b, create(fmt.Sprintf("post-%07d", n), tagged(n, slices.Sorted(maps.Keys(feeds))...)))
		committed := time.Now()
		for len(feeds) > 0 {
			msg := <-updates
			var updated cqrsfeed.FeedUpdated
			require.NoError(b, json.Unmarshal(msg.Payload, &updated))
			msg.Ack()
			delete(feeds, updated.Feed)
		}
		return time.Since(committed)
	}
	for range 200 { // so that there are feeds, and all is warm
		once()
		raw.store(b, n)
	}

	var latencies, publishes, stores, sums []time.Duration
	for b.Loop() {
		latencies = append(latencies, once())

		b.StopTimer()
		publish, stored, again := raw.publish(b), raw.store(b, n), raw.publish(b)
		publishes, stores, sums = append(publishes, publish), append(stores, stored), append(sums, publish+stored+again)
		b.StartTimer()
	}
	stopRelay()
	stopProjecting()
	require.NoError(b, live.Close())
	milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(milliseconds(median(latencies)), "ms")
	b.ReportMetric(milliseconds(median(publishes)), "publish-ms")
	b.ReportMetric(milliseconds(median(stores)), "store-ms")
	b.ReportMetric(float64(median(latencies))/float64(median(sums)), "to-steps")
}

// rawSteps are the least that a post takes.
type rawSteps struct {
	broker  jetstream.JetStream
	subject string
	items   *mongo.Collection
	entries *mongo.Collection
	feeds   *mongo.Collection
}

func newRawSteps(b *testing.B, p *place) *rawSteps {
	b.Helper()
	broker, err := jetstream.New(p.nats)
	require.NoError(b, err)
	name := fresh("raw")
	_, err = broker.CreateStream(b.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name}})
	require.NoError(b, err)
	r := &rawSteps{
		broker: broker, subject: name,
		items: p.mongo.Collection(name + "_items"), entries: p.mongo.Collection(name + "_entries"), feeds: p.mongo.Collection(name + "_feeds"),
	}
	for _, collection := range []*mongo.Collection{r.items, r.entries, r.feeds} {
		require.NoError(b, p.mongo.CreateCollection(b.Context(), collection.Name()))
	}
	_, err = r.feeds.InsertMany(b.Context(), []any{bson.D{{Key: "_id", Value: "go"}}, bson.D{{Key: "_id", Value: "mongo"}}})
	require.NoError(b, err)
	return r
}

func (r *rawSteps) publish(b *testing.B) time.Duration {
	b.Helper()
	return timed(func() {
		_, err := r.broker.Publish(b.Context(), r.subject, make([]byte, 300))
		require.NoError(b, err)
	})
}

// store is one item with two entries: the claim, the entries, the bump, the verification, and the counts. The revisions
// and the entries that are counted are read beside the verification, and not measured.
func (r *rawSteps) store(b *testing.B, n int) time.Duration {
	b.Helper()
	key := fmt.Sprintf("%016x|post-%07d", n, n)
	body := string(make([]byte, 300))
	keys := []string{"go|" + key, "mongo|" + key}
	feeds := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: []string{"go", "mongo"}}}}}
	set := func(field string) bson.D {
		return bson.D{{Key: "$set", Value: bson.D{{Key: field, Value: n}}}}
	}
	steps := []func(context.Context) error{
		func(ctx context.Context) error {
			_, err := r.items.InsertOne(ctx, bson.D{{Key: "_id", Value: key}, {Key: "v", Value: 1}, {Key: "feeds", Value: keys}})
			return err
		},
		func(ctx context.Context) error {
			_, err := r.entries.InsertMany(ctx, []any{
				bson.D{{Key: "_id", Value: keys[0]}, {Key: "body", Value: body}}, bson.D{{Key: "_id", Value: keys[1]}, {Key: "body", Value: body}},
			}, options.InsertMany().SetOrdered(false))
			return err
		},
		func(ctx context.Context) error {
			_, err := r.feeds.UpdateMany(ctx, feeds, set("rev"))
			return err
		},
		func(ctx context.Context) error {
			_, err := r.items.UpdateOne(ctx, bson.D{{Key: "_id", Value: key}}, set("done"))
			return err
		},
		func(ctx context.Context) error {
			_, err := r.feeds.UpdateMany(ctx, feeds, set("count"))
			return err
		},
	}
	return timed(func() {
		for _, step := range steps {
			require.NoError(b, step(b.Context()))
		}
	})
}
