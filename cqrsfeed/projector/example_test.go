package projector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// noteCreated is the message of a new note.
func noteCreated(id, text string, tags ...string) *message.Message {
	msg, err := cqrsfeed.NewMessage(cqrsfeed.ItemCreatedName, cqrsfeed.ItemCreated[Note]{
		Item: cqrsfeed.Item[Note]{ID: id, Version: 1, Body: Note{Text: text, Tags: tags}},
	})
	must(err)
	return msg
}

// Two projections keep two read models from the same events, each by its own projector and subscription: one that
// is slow, or that is made anew, does not hold up the other.
func ExampleProjector_severalProjections() {
	ctx, cancel := context.WithCancel(context.Background())
	_, _, feeds, done := openNotes(ctx)
	defer done()
	// With a broker, a durable subscription each: another consumer or group.
	events := gochannel.NewGoChannel(gochannel.Config{BlockPublishUntilSubscriberAck: true}, watermill.NopLogger{})

	tagFeeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[Note]{
		Store:   feeds,
		FeedsOf: func(note cqrsfeed.Item[Note]) []string { return note.Body.Tags },
	})
	must(err)
	counts := &wordCount{versions: map[string]int64{}, words: map[string]int{}}
	stopped := make(chan error)
	for name, projection := range map[string]projector.Projection{"tag-feeds": tagFeeds, "word-count": counts} {
		proj, err := projector.New(projector.Config{
			Name: name, Subscriber: events, Topics: []string{"note-created"}, Projection: projection,
			Publisher: events, UpdatesTopic: name + "-updated", PoisonTopic: name + "-poison",
		}, nil)
		must(err)
		go func() { stopped <- proj.Run(ctx) }()
		<-proj.Running()
	}

	must(events.Publish("note-created", noteCreated("n1", "hello, world", "greetings")))
	list, err := feeds.Feeds(ctx, "", 10)
	must(err)
	fmt.Println("feed:", list[0].Name, list[0].Count)
	fmt.Println("words:", counts.words["n1"])

	cancel()
	must(<-stopped)
	must(<-stopped)
	// Output:
	// feed: greetings 1
	// words: 2
}

// Events of the application's own shape: Decode makes an item of each. Its version has to grow with every change;
// here it is the number that the application counts the changes of an article with.
func ExampleTagFeeds_ownEvents() {
	ctx := context.Background()
	_, _, feeds, done := openNotes(ctx)
	defer done()

	type articlePublished struct {
		Article   string
		Change    int64
		Headline  string
		Sections  []string
		At        time.Time
		Withdrawn bool
	}
	tagFeeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[Note]{
		Store: feeds,
		Decode: func(msg *message.Message) (cqrsfeed.Item[Note], error) {
			var event articlePublished
			if err := json.Unmarshal(msg.Payload, &event); err != nil {
				return cqrsfeed.Item[Note]{}, fmt.Errorf("decode article: %w", err) // poison
			}
			return cqrsfeed.Item[Note]{
				ID: event.Article, Version: event.Change, CreatedAt: event.At, Deleted: event.Withdrawn,
				Body: Note{Text: event.Headline, Tags: event.Sections},
			}, nil
		},
		FeedsOf: func(note cqrsfeed.Item[Note]) []string { return note.Body.Tags },
	})
	must(err)

	for _, payload := range []string{
		`{"Article":"a1","Change":1,"Headline":"Goal!","Sections":["sports"],"At":"2026-01-02T15:04:05Z"}`,
		`{"Article":"a1","Change":2,"Headline":"Goal?","Sections":["sports","opinion"],"At":"2026-01-02T15:04:05Z"}`,
	} {
		_, err := tagFeeds.Apply(ctx, []*message.Message{message.NewMessage(watermill.NewUUID(), []byte(payload))})
		must(err)
	}
	page, err := feeds.Page(ctx, "opinion", "", 10)
	must(err)
	fmt.Println(page.Feed.Count, page.Items[0].ID, page.Items[0].Body.Text)
	// Output:
	// 1 a1 Goal?
}
