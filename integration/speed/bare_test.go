package speed_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/feedmill/feedmill/examples/microblog/post"
)

// bareWay sends the commands that a new post costs at least, from its transaction to the pages of its feeds, by the
// servers' drivers and without Feedmill: nothing is encoded twice, retried, watched or kept in order. What a post takes on
// it is the servers' share of the latency.
type bareWay struct {
	*place

	js     jetstream.JetStream
	events chan jetstream.Msg // those of posts
	told   chan jetstream.Msg // those of feeds
	items  *mongo.Collection
	heads  *mongo.Collection
	// removing are the removals of published events.
	removing sync.WaitGroup
}

const (
	barePost = "bare.post"
	bareFeed = "bare.feed"
)

func openBareWay(b *testing.B, p *place) *bareWay {
	b.Helper()
	w := &bareWay{place: p, events: make(chan jetstream.Msg, 100), told: make(chan jetstream.Msg, 100)}
	for _, statement := range []string{
		"DROP TABLE IF EXISTS bare_posts, bare_outbox",
		"CREATE TABLE bare_posts (id VARCHAR(64) PRIMARY KEY, body LONGTEXT)",
		"CREATE TABLE bare_outbox (id BIGINT PRIMARY KEY AUTO_INCREMENT, payload LONGTEXT)",
	} {
		_, err := p.sql.ExecContext(b.Context(), statement)
		require.NoError(b, err)
	}

	var err error
	w.js, err = jetstream.New(p.nats)
	require.NoError(b, err)
	stream, err := w.js.CreateOrUpdateStream(b.Context(), jetstream.StreamConfig{Name: "bare", Subjects: []string{"bare.>"}})
	require.NoError(b, err)
	for subject, into := range map[string]chan jetstream.Msg{barePost: w.events, bareFeed: w.told} {
		consumer, err := stream.CreateConsumer(b.Context(), jetstream.ConsumerConfig{
			FilterSubject: subject, DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckNonePolicy,
		})
		require.NoError(b, err)
		consuming, err := consumer.Consume(func(msg jetstream.Msg) { into <- msg })
		require.NoError(b, err)
		b.Cleanup(consuming.Stop)
	}

	// The collections get the indexes and the concerns of the store.
	_, prefix := p.feeds(b)
	database := connectMongo(b, nil).Client().Database(p.mongo.Name())
	journal := true
	collections := options.Collection().SetReadConcern(readconcern.Majority()).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal})
	w.items = database.Collection(prefix+"items", collections)
	w.heads = database.Collection(prefix+"feeds", collections)
	return w
}

// once takes one post to the pages of its feeds, and returns how long that took.
func (w *bareWay) once(b *testing.B, id string, body post.Post) time.Duration {
	b.Helper()
	ctx := b.Context()
	encoded, err := json.Marshal(body)
	require.NoError(b, err)
	defer w.removing.Wait()
	return timed(func() {
		w.create(b, id, encoded)
		w.relay(b)
		<-w.events
		_, err := w.items.InsertOne(ctx, bson.M{"_id": id, "v": 1, "pos": id, "feeds": body.Tags, "body": string(encoded)})
		require.NoError(b, err)
		w.bump(b, body.Tags)
		for _, feed := range body.Tags {
			_, err := w.js.PublishMsgAsync(&nats.Msg{Subject: bareFeed, Data: []byte(feed)})
			require.NoError(b, err)
		}
		for range body.Tags {
			<-w.told
		}
		w.load(ctx, b, body.Tags)
	})
}

// create writes the post and its event in one transaction.
func (w *bareWay) create(b *testing.B, id string, encoded []byte) {
	b.Helper()
	tx, err := w.sql.BeginTx(b.Context(), nil)
	require.NoError(b, err)
	_, err = tx.ExecContext(b.Context(), "INSERT INTO bare_posts VALUES (?, ?)", id, encoded)
	require.NoError(b, err)
	_, err = tx.ExecContext(b.Context(), "INSERT INTO bare_outbox (payload) VALUES (?)", encoded)
	require.NoError(b, err)
	require.NoError(b, tx.Commit())
}

// relay publishes the event, and removes it beside what follows.
func (w *bareWay) relay(b *testing.B) {
	b.Helper()
	tx, err := w.sql.BeginTx(b.Context(), nil)
	require.NoError(b, err)
	var id int64
	var payload []byte
	require.NoError(b, tx.QueryRowContext(b.Context(), "SELECT id, payload FROM bare_outbox ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED").
		Scan(&id, &payload))
	_, err = w.js.PublishMsg(b.Context(), &nats.Msg{Subject: barePost, Data: payload})
	require.NoError(b, err)
	w.removing.Go(func() {
		_, err := tx.ExecContext(b.Context(), "DELETE FROM bare_outbox WHERE id = ?", id)
		assert.NoError(b, err)
		assert.NoError(b, tx.Commit())
	})
}

func (w *bareWay) bump(b *testing.B, feeds []string) {
	b.Helper()
	var bumps []mongo.WriteModel
	for _, feed := range feeds {
		bumps = append(bumps, mongo.NewUpdateOneModel().SetFilter(bson.M{"_id": feed}).
			SetUpdate(bson.M{"$inc": bson.M{"rev": 1, "count": 1}}).SetUpsert(true))
	}
	_, err := w.heads.BulkWrite(b.Context(), bumps, options.BulkWrite().SetOrdered(false))
	require.NoError(b, err)
}

// load reads the heads and the first pages of the feeds, all at once.
func (w *bareWay) load(ctx context.Context, b *testing.B, feeds []string) {
	b.Helper()
	var loads sync.WaitGroup
	for _, feed := range feeds {
		loads.Go(func() { assert.NoError(b, w.heads.FindOne(ctx, bson.M{"_id": feed}).Err()) })
		loads.Go(func() {
			found, err := w.items.Find(ctx, bson.M{"feeds": feed}, options.Find().SetSort(bson.M{"pos": -1}).SetLimit(50).SetHint("feeds_pos"))
			if assert.NoError(b, err) {
				var page []bson.Raw
				assert.NoError(b, found.All(ctx, &page))
			}
		})
	}
	loads.Wait()
}
