package projector_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/internal/examplenotes"
)

// A projection panics on notes without tags. They are set aside, and replayed when the projection is repaired.
func ExampleProjector_replay() {
	ctx, cancel := context.WithCancel(context.Background())
	_, _, feeds, done := examplenotes.Open(ctx)
	defer done()
	events := gochannel.NewGoChannel(gochannel.Config{Persistent: true, BlockPublishUntilSubscriberAck: true}, watermill.NopLogger{})
	var repaired atomic.Bool
	tagFeeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[Note]{
		Store: feeds,
		FeedsOf: func(note cqrsfeed.Item[Note]) []string {
			if repaired.Load() && len(note.Body.Tags) == 0 {
				return []string{"untagged"}
			}
			return note.Body.Tags[:1]
		},
	})
	must(err)
	proj, err := projector.New(projector.Config{
		Subscriber: events, Topics: []string{"note-created"}, Projection: tagFeeds,
		Publisher: events, UpdatesTopic: "feed-updated", PoisonTopic: "poison",
	}, nil)
	must(err)
	stopped := make(chan error)
	go func() { stopped <- proj.Run(ctx) }()
	<-proj.Running()
	must(events.Publish("note-created", noteCreated("n1", "hello")))

	// Look.
	poison, err := events.Subscribe(ctx, "poison")
	must(err)
	dead := <-poison
	fmt.Println(dead.Metadata.Get(projector.PoisonTopicKey), "-", dead.Metadata.Get(projector.PoisonReasonKey))
	// Fix.
	repaired.Store(true)
	// Replay.
	must(projector.Replay(events, dead))
	dead.Ack()

	page, err := feeds.Page(ctx, "untagged", "", 10)
	must(err)
	fmt.Println("untagged:", page.Items[0].ID)
	cancel()
	must(<-stopped)
	// Output:
	// note-created - invalid argument: feeds of item "n1": panic: runtime error: slice bounds out of range [:1] with capacity 0
	// untagged: n1
}
