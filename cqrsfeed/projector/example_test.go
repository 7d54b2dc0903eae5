package projector_test

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/internal/examplenotes"
)

// noteCreated is the message of a new note.
func noteCreated(id, text string, tags ...string) *message.Message {
	msg, err := cqrsfeed.ItemCreated[Note]{
		Item: cqrsfeed.Item[Note]{ID: id, Version: 1, Body: Note{Text: text, Tags: tags}},
	}.Message()
	must(err)
	return msg
}

// Two projections keep two read models from the same events, each with a projector and a subscription of its own. One that
// is slow does not hold up the other.
func ExampleProjector_severalProjections() {
	ctx, cancel := context.WithCancel(context.Background())
	_, _, feeds, done := examplenotes.Open(ctx)
	defer done()
	// With a broker each has a durable subscription, a consumer or group, of its own.
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
