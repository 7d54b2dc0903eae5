package speed_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// nowhere is a publisher that drops what it gets.
type nowhere struct{}

// Publish implements message.Publisher.
func (nowhere) Publish(string, ...*message.Message) error { return nil }

// Close implements message.Publisher.
func (nowhere) Close() error { return nil }

// openPostgres returns what writes a post on PostgreSQL alone, whose relay publishes into the projector, and what receives the
// numbers of messages that were applied.
func openPostgres(b *testing.B) (create func(id string, body post.Post) error, applied <-chan int, stop func()) {
	b.Helper()
	db, err := sql.Open("pgx", servers.Postgres(b))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	db.SetMaxOpenConns(writers + 8)
	db.SetMaxIdleConns(writers + 8)
	store, err := postgresstore.New(db, postgresstore.Config{})
	require.NoError(b, err)
	posts, err := postgresstore.NewRepository[post.Post](store, "post")
	require.NoError(b, err)
	feeds, err := postgresstore.NewFeedStore[post.Post](store, "post")
	require.NoError(b, err)
	require.NoError(b, store.EnsureSchema(b.Context()))

	tagFeeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[post.Post]{Store: feeds, FeedsOf: feedsOf})
	require.NoError(b, err)
	counted := counting{tagFeeds, make(chan int, 1_000_000)}
	proj, err := projector.New(projector.Config{Projection: counted, Publisher: nowhere{}, UpdatesTopic: feedUpdated}, nil)
	require.NoError(b, err)
	relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: store.Outbox(), Publisher: proj}, nil)
	require.NoError(b, err)
	stopProjector := running(b, proj.Run)
	stopRelay := running(b, relay.Run)
	return func(id string, body post.Post) error {
			_, err := posts.Create(b.Context(), id, body)
			return err
		}, counted.applied, func() {
			stopRelay()
			stopProjector()
		}
}

// BenchmarkPipelineOnPostgres has 32 writers create posts with two tags until all are in their feeds: on PostgreSQL alone,
// and on MySQL, NATS and MongoDB, in turn. to-three is the ratio of the median rates.
func BenchmarkPipelineOnPostgres(b *testing.B) {
	const posts = 2_000
	create, applied, stop := openPostgres(b)
	p := openPlace(b)
	store, _ := p.feeds(b)
	stopRelay := p.relay(b)
	otherApplied, stopProjecting := p.project(b, store)
	bodies := repeated(posts)

	var one, three []time.Duration
	for b.Loop() {
		one = append(one, timed(func() {
			createAll(b, create, fresh("post"), bodies)
			await(applied, posts)
		}))
		three = append(three, timed(func() {
			createAll(b, p.create(b), fresh("post"), bodies)
			await(otherApplied, posts)
		}))
	}
	stop()
	stopRelay()
	stopProjecting()
	b.ReportMetric(posts/median(one).Seconds(), "posts/s")
	b.ReportMetric(posts/median(three).Seconds(), "three-servers/s")
	b.ReportMetric(float64(median(three))/float64(median(one)), "to-three")
}
