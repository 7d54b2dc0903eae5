package mongostore_test

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// Posts are put into the feeds of their tags, and a page of a feed is read. An application leaves the calls of
// Apply to a projector.Projector, which takes the messages from a broker.
//
//nolint:testableexamples // needs a MongoDB server; integration/mongostore runs the same
func ExampleNewFeedStore() {
	type Post struct {
		Text string
		Tags []string
	}
	ctx := context.Background()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://localhost:27017"))
	if err != nil {
		panic(err)
	}
	defer client.Disconnect(ctx)

	store, err := mongostore.NewFeedStore[Post](client.Database("blog"), mongostore.FeedStoreConfig{Name: "post"})
	if err != nil {
		panic(err)
	}
	if err := store.EnsureSchema(ctx); err != nil {
		panic(err)
	}
	feeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[Post]{
		Store:   store,
		FeedsOf: func(post cqrsfeed.Item[Post]) []string { return post.Body.Tags },
	})
	if err != nil {
		panic(err)
	}

	created, err := cqrsfeed.ItemCreated[Post]{
		Item: cqrsfeed.Item[Post]{ID: "42", Version: 1, Body: Post{Text: "Hello", Tags: []string{"go", "mongo"}}},
	}.Message()
	if err != nil {
		panic(err)
	}
	updates, err := feeds.Apply(ctx, []*message.Message{created})
	if err != nil {
		panic(err)
	}
	fmt.Println(len(updates), "feeds changed")

	page, err := store.Page(ctx, "go", "", 20)
	if err != nil {
		panic(err)
	}
	for _, post := range page.Items {
		fmt.Println(post.ID, post.Body.Text)
	}
}
