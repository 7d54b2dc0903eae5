package projector_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/internal/examplenotes"
)

// replay publishes a message of the poison topic to the topic that it came from.
func replay(publisher message.Publisher, dead *message.Message) error {
	if _, cut := dead.Metadata[projector.PoisonPayloadKey]; cut {
		return errors.New("the payload is not here") // see the projector's log, or rebuild
	}
	again := message.NewMessage(watermill.NewUUID(), dead.Payload)
	maps.Copy(again.Metadata, dead.Metadata)
	topic := dead.Metadata.Get(projector.PoisonTopicKey)
	for _, key := range []string{projector.PoisonReasonKey, projector.PoisonTopicKey, projector.PoisonHandlerKey} {
		delete(again.Metadata, key)
	}
	return publisher.Publish(topic, again)
}

// A projection panics at notes without tags. They are set aside until the projection is repaired, and then replayed.
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
	must(replay(events, dead))
	dead.Ack()

	page, err := feeds.Page(ctx, "untagged", "", 10)
	must(err)
	fmt.Println("untagged:", page.Items[0].ID)
	cancel()
	must(<-stopped)
	// Output:
	// note-created - decode message: panic: runtime error: slice bounds out of range [:1] with capacity 0
	// untagged: n1
}
