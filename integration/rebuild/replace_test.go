package rebuild_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/examples/microblog/stack"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

const (
	// tick is how often a condition is checked.
	tick = 10 * time.Millisecond
	// earlier is how many posts exist at the start: several pages of a feed.
	earlier = 120

	updatesOfNew = "feed-updated-v2"
)

type (
	feedStore = readmodel.Store[post.Post]
	mongoFeed = mongostore.FeedStore[post.Post]
	feedsOf   = func(cqrsfeed.Item[post.Post]) []string
)

// replacement is a read model on servers, and another one that replaces it.
type replacement struct {
	on       stack.Config
	posts    cqrsfeed.Repository[post.Post]
	old, new *mongoFeed
}

func newReplacement(t *testing.T) *replacement {
	t.Helper()
	_, natsURL := servers.OwnNATS(t) // microblogs on one server share their events
	r := &replacement{on: stack.Config{MySQLDSN: servers.MySQL(t), MongoURI: servers.Mongo(t), NATSURL: natsURL}}
	opened, err := stack.Open(t.Context(), r.on, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, opened.Close()) })
	r.posts = opened.Posts
	r.old, r.new = r.stores(t)
	require.NoError(t, r.new.EnsureSchema(t.Context()))
	for i := range earlier {
		p, err := post.New("A title", fmt.Sprintf("#all and #tag%d", i%5), "Ada")
		require.NoError(t, err)
		_, err = r.posts.Create(t.Context(), id(i), p)
		require.NoError(t, err)
	}
	return r
}

// stores opens both read models, on connections of their own.
func (r *replacement) stores(t *testing.T) (old, next *mongoFeed) {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(r.on.MongoURI))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Disconnect(context.Background())) })
	parsed, err := url.Parse(r.on.MongoURI)
	require.NoError(t, err)
	db := client.Database(strings.TrimPrefix(parsed.Path, "/"))
	old, err = mongostore.NewFeedStore[post.Post](db, mongostore.FeedStoreConfig{Name: "post"})
	require.NoError(t, err)
	next, err = mongostore.NewFeedStore[post.Post](db, mongostore.FeedStoreConfig{Name: "v2"})
	require.NoError(t, err)
	return old, next
}

// kind returns instances with the feeds that choose returns.
func (r *replacement) kind(choose func(t *testing.T, old, next *mongoFeed) feedStore) opening {
	return func(t *testing.T) (app.Parts, func() error) {
		t.Helper()
		opened, err := stack.Open(t.Context(), r.on, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		old, next := r.stores(t)
		opened.Feeds = choose(t, old, next)
		return opened.Parts, opened.Close
	}
}

// requireFed waits until a store agrees with the posts.
func (r *replacement) requireFed(t *testing.T, store feedStore, of feedsOf) {
	t.Helper()
	var differ []string
	for deadline := time.Now().Add(patience); ; {
		want := fold(t, r.posts, of)
		differ = differences(want, shown(t, store))
		if told := counted(t, store); !maps.Equal(counts(want), told) {
			differ = append(differ, fmt.Sprintf("counts: %v, not %v", told, counts(want)))
		}
		if len(differ) == 0 {
			return
		}
		require.True(t, time.Now().Before(deadline), "the feeds differ from the posts: %v", differ)
	}
}

// fillNew rebuilds and audits the new store as the guide says.
func (r *replacement) fillNew(t *testing.T, of feedsOf) {
	t.Helper()
	summary, err := readmodel.Rebuild(t.Context(), readmodel.RebuildConfig[post.Post]{Source: r.posts, Store: r.new, FeedsOf: of})
	require.NoError(t, err)
	require.GreaterOrEqual(t, summary.Items, int64(earlier))
	var drifts []string
	require.Eventually(t, func() bool {
		drifts = nil
		audit, err := readmodel.Audit(t.Context(), readmodel.AuditConfig[post.Post]{
			Source: r.posts, Store: r.new, FeedsOf: of,
			Drift: func(d readmodel.Drift) { drifts = append(drifts, d.String()) },
		})
		require.NoError(t, err)
		return audit.Drifts == 0
	}, patience, tick, "the new store has drifts: %v", &drifts)
}

// withAuthors returns the feeds of the new read model, which has one for each author as well.
func withAuthors(item cqrsfeed.Item[post.Post]) []string {
	return append([]string{"by " + strings.ToLower(item.Body.Author)}, item.Body.Tags...)
}

// TestReplaceByTwoProjectors replaces the feeds by the procedure of docs/rebuild.md.
func TestReplaceByTwoProjectors(t *testing.T) {
	t.Parallel()
	r := newReplacement(t)
	f := newFleet(t)
	oldOnly := r.kind(func(_ *testing.T, old, _ *mongoFeed) feedStore { return old })
	for range 2 {
		f.admit(f.start(t, oldOnly))
	}
	r.requireFed(t, r.old, post.FeedsOf)
	people, disperse := gather(t, f)
	people.goOn(t)

	var second []*instance // that get no requests yet
	for range 2 {
		second = append(second, f.start(t, r.second))
	}
	people.goOn(t)
	r.fillNew(t, withAuthors)
	first := f.all()
	for n, i := range second {
		f.admit(i)
		people.goOn(t) // at instances of both kinds
		f.withdraw(t, first[n])
		people.goOn(t)
	}
	disperse()
	r.requireFed(t, r.new, withAuthors)
}

// second opens an instance whose projector and pages are those of the new read model.
func (r *replacement) second(t *testing.T) (app.Parts, func() error) {
	t.Helper()
	parts, closeParts := r.kind(func(_ *testing.T, _, next *mongoFeed) feedStore { return otherFeeds{next, withAuthors} })(t)
	conn, err := nats.Connect(r.on.NATSURL)
	require.NoError(t, err)
	stream, err := natspubsub.NewStream(conn,
		natspubsub.StreamConfig{Name: "microblog"}, watermill.NopLogger{})
	require.NoError(t, err)
	require.NoError(t, stream.Ensure(t.Context()))
	work, err := stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: "tag-feeds-v2"})
	require.NoError(t, err)
	live := stream.NewLiveSubscriber()
	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{})
	require.NoError(t, err)
	parts.Broker = &feedmill.Broker{Publisher: publishesOtherUpdates{publisher}, Work: work, Live: otherUpdates{live}}
	return parts, func() error {
		err := errors.Join(publisher.Close(), work.Close(), live.Close(), closeParts())
		conn.Close()
		return err
	}
}

// otherFeeds is a store whose application has another FeedsOf.
type otherFeeds struct {
	*mongoFeed

	of feedsOf
}

// Apply implements cqrsfeed.FeedStore.
func (s otherFeeds) Apply(ctx context.Context, batch []cqrsfeed.FeedChange[post.Post]) ([]cqrsfeed.FeedUpdated, error) {
	changed := make([]cqrsfeed.FeedChange[post.Post], len(batch))
	for i, change := range batch {
		changed[i] = cqrsfeed.FeedChange[post.Post]{Item: change.Item, Feeds: s.of(change.Item)}
	}
	return s.mongoFeed.Apply(ctx, changed)
}

// otherUpdates and publishesOtherUpdates are the broker of an application with another UpdatesTopic.
type otherUpdates struct{ message.Subscriber }

// Subscribe implements message.Subscriber.
func (s otherUpdates) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return s.Subscriber.Subscribe(ctx, otherTopic(topic))
}

type publishesOtherUpdates struct{ message.Publisher }

// Publish implements message.Publisher.
func (p publishesOtherUpdates) Publish(topic string, messages ...*message.Message) error {
	return p.Publisher.Publish(otherTopic(topic), messages...)
}

func otherTopic(topic string) string {
	if topic == api.Kind+"-feed-updated" {
		return updatesOfNew
	}
	return topic
}
