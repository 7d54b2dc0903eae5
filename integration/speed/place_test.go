package speed_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	_ "github.com/go-sql-driver/mysql" // the driver of the write model
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// feedUpdated is the topic of what projectors announce.
const feedUpdated = "feed-updated"

var (
	topics = cqrsfeed.TopicsOf("post") //nolint:gochecknoglobals // a constant
	names  atomic.Int64                //nolint:gochecknoglobals // makes names unique
)

// place is a write model in MySQL, a database for feeds, and a stream of NATS between them, with default settings.
type place struct {
	posts *mysqlstore.Repository[post.Post]
	queue *mysqlstore.Outbox
	sql   *sql.DB
	mongo *mongo.Database
	// commands are those that MongoDB has completed.
	commands *commandTimes
	nats     *nats.Conn
	stream   *natspubsub.Stream
	// publisher is for the relay and the projectors.
	publisher message.Publisher
}

func openPlace(b *testing.B) *place {
	b.Helper()
	p := &place{commands: &commandTimes{}}
	var err error
	p.sql, err = sql.Open("mysql", servers.MySQL(b)+"?interpolateParams=true")
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, p.sql.Close()) })
	p.sql.SetMaxIdleConns(writers)
	store, err := mysqlstore.New(p.sql, mysqlstore.Config{})
	require.NoError(b, err)
	p.queue = store.Outbox()
	p.posts, err = mysqlstore.NewRepository[post.Post](store, "post")
	require.NoError(b, err)
	require.NoError(b, store.EnsureSchema(b.Context()))

	p.mongo = connectMongo(b, p.commands.monitor())
	p.nats, err = nats.Connect(servers.NATS(b))
	require.NoError(b, err)
	b.Cleanup(p.nats.Close)
	// It is larger than what a benchmark publishes: at an eighth of MaxMessages it would remove what all consumers have read, and the
	// next repetition has a consumer of its own.
	p.stream, err = natspubsub.NewStream(p.nats, natspubsub.StreamConfig{Name: fresh("speed"), MaxMessages: 100_000_000}, nil)
	require.NoError(b, err)
	require.NoError(b, p.stream.Ensure(b.Context()))
	publisher, err := p.stream.NewPublisher(natspubsub.PublisherConfig{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, publisher.Close()) })
	p.publisher = publisher
	return p
}

func connectMongo(b *testing.B, monitor *event.CommandMonitor) *mongo.Database {
	b.Helper()
	uri := servers.Mongo(b)
	parsed, err := url.Parse(uri)
	require.NoError(b, err)
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetMonitor(monitor))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, client.Disconnect(context.Background())) })
	return client.Database(strings.TrimPrefix(parsed.Path, "/"))
}

// create returns what writes one post.
func (p *place) create(b *testing.B) func(id string, body post.Post) error {
	b.Helper()
	return func(id string, body post.Post) error {
		_, err := p.posts.Create(b.Context(), id, body)
		return err
	}
}

// feeds returns an empty store and the prefix of its collections.
func (p *place) feeds(b *testing.B) (store *mongostore.FeedStore[post.Post], prefix string) {
	b.Helper()
	name := fresh("feeds")
	prefix = name + "_"
	store, err := mongostore.NewFeedStore[post.Post](p.mongo, mongostore.FeedStoreConfig{Name: name})
	require.NoError(b, err)
	require.NoError(b, store.EnsureSchema(b.Context()))
	return store, prefix
}

// relay publishes the outbox until stop is called.
func (p *place) relay(b *testing.B) (stop func()) {
	b.Helper()
	return p.relayTo(b, p.publisher)
}

func (p *place) relayTo(b *testing.B, publisher message.Publisher) (stop func()) {
	b.Helper()
	relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: p.queue, Publisher: publisher}, nil)
	require.NoError(b, err)
	return running(b, relay.Run)
}

// project keeps the feeds in store, from the first event of the stream on, until stop is called. applied receives the
// numbers of messages that were applied.
func (p *place) project(b *testing.B, store cqrsfeed.FeedStore[post.Post]) (applied <-chan int, stop func()) {
	b.Helper()
	subscriber, err := p.stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: fresh("tag-feeds")})
	require.NoError(b, err)
	feeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[post.Post]{Store: store, FeedsOf: feedsOf})
	require.NoError(b, err)
	counted := counting{feeds, make(chan int, 1_000_000)}
	proj, err := projector.New(projector.Config{
		Subscriber: subscriber, Topics: topics.All(), Projection: counted,
		Publisher: p.publisher, UpdatesTopic: feedUpdated, PoisonTopic: "poison",
	}, nil)
	require.NoError(b, err)
	stopRunning := running(b, proj.Run)
	<-proj.Running()
	return counted.applied, func() {
		stopRunning()
		require.NoError(b, subscriber.Close())
	}
}

// counting is a projection that counts the messages that it has applied.
type counting struct {
	*cqrsfeed.TagFeeds[post.Post]

	applied chan int
}

// Apply implements projector.Projection.
func (c counting) Apply(ctx context.Context, batch []*message.Message) ([]*message.Message, error) {
	updates, err := c.TagFeeds.Apply(ctx, batch)
	if err == nil {
		c.applied <- len(batch)
	}
	return updates, err
}

// await returns when n messages are applied.
func await(applied <-chan int, n int) {
	for n > 0 {
		n -= <-applied
	}
}

// running runs until stop is called.
func running(b *testing.B, run func(context.Context) error) (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	return func() {
		cancel()
		require.NoError(b, <-done)
	}
}

// fresh returns a name that is unique in this process.
func fresh(kind string) string { return fmt.Sprintf("%s%d", kind, names.Add(1)) }
