package natspubsub_test

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"

	"github.com/feedmill/feedmill/adapters/natspubsub"
)

// A projection works on posts, shared by all processes with its name, and a page receives every update.
//
//nolint:testableexamples // needs a NATS server; integration/natspubsub runs the same
func Example() {
	ctx := context.Background()
	nc, err := nats.Connect("nats://localhost:4222", nats.MaxReconnects(-1))
	if err != nil {
		panic(err)
	}
	defer nc.Close()

	stream, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: "microblog"}, nil)
	if err != nil {
		panic(err)
	}
	if err := stream.Ensure(ctx); err != nil {
		panic(err)
	}

	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{})
	if err != nil {
		panic(err)
	}
	defer publisher.Close()
	projections, err := stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: "feeds"})
	if err != nil {
		panic(err)
	}
	defer projections.Close()
	pages := stream.NewLiveSubscriber()
	defer pages.Close()

	posts, err := projections.Subscribe(ctx, "post-created")
	if err != nil {
		panic(err)
	}
	updates, err := pages.Subscribe(ctx, "feed-updated")
	if err != nil {
		panic(err)
	}

	if err := publisher.Publish("post-created", message.NewMessage(watermill.NewUUID(), []byte("#go"))); err != nil {
		panic(err)
	}
	post := <-posts
	if err := publisher.Publish("feed-updated", message.NewMessage(watermill.NewUUID(), post.Payload)); err != nil {
		post.Nack() // it comes again
		panic(err)
	}
	post.Ack()

	update := <-updates
	fmt.Println("updated", string(update.Payload))
	update.Ack()
}

// Subjects are useful for other tools that read the stream, and for the permissions of NATS users.
func ExampleStream_Subject() {
	nc, err := nats.Connect("nats://localhost:4222", nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1))
	if err != nil {
		panic(err)
	}
	defer nc.Close()
	stream, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: "microblog"}, nil)
	if err != nil {
		panic(err)
	}
	for _, topic := range []string{"post-created", "post.created", "anything > else"} {
		subject, err := stream.Subject(topic)
		fmt.Println(subject, err)
	}
	// Output:
	// microblog.post-created <nil>
	// microblog.post.created <nil>
	// microblog.anything%20%3E%20else <nil>
}
