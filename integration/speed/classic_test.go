package speed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// classic handles posts as Watermill's example of server-sent events does: it writes a row and then publishes an event. A
// handler of a Watermill Router takes one message at a time. For each tag it reads the document of the feed with
// all its posts, adds one, and writes it. Servers, publisher and subscriber are the same.
type classic struct {
	*place

	feeds   *mongo.Collection
	topic   string
	applied chan int
}

type classicPost struct {
	ID        string    `bson:"id"        json:"id"`
	Title     string    `bson:"title"     json:"title"`
	Content   string    `bson:"content"   json:"content"`
	Author    string    `bson:"author"    json:"author"`
	Tags      []string  `bson:"tags"      json:"tags"`
	CreatedAt time.Time `bson:"createdAt" json:"createdAt"`
}

type classicFeed struct {
	Name  string        `bson:"_id"`
	Posts []classicPost `bson:"posts"`
}

func openClassic(b *testing.B, p *place) *classic {
	b.Helper()
	c := &classic{
		place: p, feeds: p.mongo.Collection(fresh("classic")), topic: fresh("classic-created"), applied: make(chan int, 1_000_000),
	}
	_, err := p.sql.ExecContext(b.Context(), `CREATE TABLE IF NOT EXISTS classic_posts (id VARCHAR(64) PRIMARY KEY,
		title VARCHAR(200), content TEXT, author VARCHAR(100), created_at DATETIME(6))`)
	require.NoError(b, err)
	return c
}

// fill creates a feed with a number of posts.
func (c *classic) fill(b *testing.B, feed string, posts int) {
	b.Helper()
	document := classicFeed{Name: feed}
	for i := range posts {
		body := tagged(i, feed)
		document.Posts = append(document.Posts, c.post(fmt.Sprintf("%s-%07d", feed, i), body))
	}
	_, err := c.feeds.ReplaceOne(b.Context(), bson.D{{Key: "_id", Value: feed}}, document, options.Replace().SetUpsert(true))
	require.NoError(b, err)
}

func (*classic) post(id string, body post.Post) classicPost {
	return classicPost{
		ID: id, Title: body.Title, Content: body.Content, Author: body.Author, Tags: body.Tags,
		CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
	}
}

func (c *classic) create(b *testing.B) func(id string, body post.Post) error {
	b.Helper()
	return func(id string, body post.Post) error {
		p := c.post(id, body)
		_, err := c.sql.ExecContext(b.Context(), "INSERT INTO classic_posts (id, title, content, author, created_at) VALUES (?, ?, ?, ?, ?)",
			p.ID, p.Title, p.Content, p.Author, p.CreatedAt)
		if err != nil {
			return err
		}
		payload, err := json.Marshal(p)
		if err != nil {
			return err
		}
		return c.publisher.Publish(c.topic, message.NewMessage(watermill.NewUUID(), payload))
	}
}

// run handles messages until stop is called.
func (c *classic) run(b *testing.B) (stop func()) {
	b.Helper()
	subscriber, err := c.stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: fresh("classic"), MaxInFlight: 1})
	require.NoError(b, err)
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	require.NoError(b, err)
	router.AddHandler("feeds", c.topic, subscriber, feedUpdated, c.publisher, c.handle)
	stopRunning := running(b, router.Run)
	<-router.Running()
	return func() {
		stopRunning()
		require.NoError(b, subscriber.Close())
	}
}

func (c *classic) handle(msg *message.Message) ([]*message.Message, error) {
	var p classicPost
	if err := json.Unmarshal(msg.Payload, &p); err != nil {
		return nil, err
	}
	updates := make([]*message.Message, 0, len(p.Tags))
	for _, tag := range p.Tags {
		if err := c.add(msg.Context(), tag, p); err != nil {
			return nil, err
		}
		updates = append(updates, message.NewMessage(watermill.NewUUID(), fmt.Appendf(nil, `{"feed":%q}`, tag)))
	}
	c.applied <- 1
	return updates, nil
}

func (c *classic) add(ctx context.Context, tag string, p classicPost) error {
	var feed classicFeed
	byName := bson.D{{Key: "_id", Value: tag}}
	if err := c.feeds.FindOne(ctx, byName).Decode(&feed); err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return err
	}
	feed.Name = tag
	feed.Posts = append(feed.Posts, p)
	_, err := c.feeds.ReplaceOne(ctx, byName, feed, options.Replace().SetUpsert(true))
	return err
}

// shows checks the number of posts in a feed.
func (c *classic) shows(b *testing.B, feed string, posts int) {
	b.Helper()
	var document classicFeed
	require.NoError(b, c.feeds.FindOne(b.Context(), bson.D{{Key: "_id", Value: feed}}).Decode(&document))
	require.Len(b, document.Posts, posts)
}
