package natspubsub_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/feedmill/feedmill/adapters/natspubsub"
)

// A projection handles posts in batches, shared by all processes that use its name, and a page receives every update.
func Example() {
	nc, stop := exampleServer()
	defer stop()
	ctx := context.Background()

	stream, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: "microblog"}, nil)
	check(err)
	check(stream.Ensure(ctx))

	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{})
	check(err)
	defer publisher.Close()
	projections, err := stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: "feeds"})
	check(err)
	defer projections.Close()
	pages := stream.NewLiveSubscriber()
	defer pages.Close()

	posts, err := projections.Subscribe(ctx, "post-created")
	check(err)
	updates, err := pages.Subscribe(ctx, "feed-updated")
	check(err)

	check(publisher.Publish("post-created",
		message.NewMessage(watermill.NewUUID(), []byte("#go")),
		message.NewMessage(watermill.NewUUID(), []byte("#nats")),
	))
	batch := []*message.Message{<-posts, <-posts} // the second does not wait for the acknowledgement of the first
	for _, post := range batch {
		check(publisher.Publish("feed-updated", message.NewMessage(watermill.NewUUID(), post.Payload)))
		post.Ack()
	}
	for range batch {
		update := <-updates
		fmt.Println("updated", string(update.Payload))
		update.Ack()
	}
	// Output:
	// updated #go
	// updated #nats
}

// A relay that died before it could delete what it had published can publish again without effect.
func ExamplePublisher_Publish() {
	nc, stop := exampleServer()
	defer stop()
	stream, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: "microblog"}, nil)
	check(err)
	check(stream.Ensure(context.Background()))
	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{})
	check(err)
	defer publisher.Close()
	subscriber, err := stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: "feeds"})
	check(err)
	defer subscriber.Close()
	posts, err := subscriber.Subscribe(context.Background(), "post-created")
	check(err)

	first, second := message.NewMessage("1", []byte("first")), message.NewMessage("2", []byte("second"))
	check(publisher.Publish("post-created", first))
	check(publisher.Publish("post-created", first, second))
	for range 2 {
		post := <-posts
		fmt.Println(string(post.Payload))
		post.Ack()
	}
	// Output:
	// first
	// second
}

func ExampleStream_Subject() {
	nc, stop := exampleServer()
	defer stop()
	stream, err := natspubsub.NewStream(nc, natspubsub.StreamConfig{Name: "microblog"}, nil)
	check(err)
	for _, topic := range []string{"post-created", "post.created", "anything > else"} {
		subject, err := stream.Subject(topic)
		check(err)
		fmt.Println(subject)
	}
	// Output:
	// microblog.post-created
	// microblog.post.created
	// microblog.anything%20%3E%20else
}

// exampleServer starts a server in the process and returns a connection to it.
func exampleServer() (*nats.Conn, func()) {
	directory, err := os.MkdirTemp("", "natspubsub")
	check(err)
	running, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: directory, NoSigs: true, NoLog: true})
	check(err)
	running.Start()
	if !running.ReadyForConnections(20 * time.Second) {
		log.Panic("the server is not ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(running), nats.MaxReconnects(-1))
	check(err)

	return nc, func() {
		nc.Close()
		running.Shutdown()
		running.WaitForShutdown()
		check(os.RemoveAll(directory))
	}
}

func check(err error) {
	if err != nil {
		log.Panic(err)
	}
}
