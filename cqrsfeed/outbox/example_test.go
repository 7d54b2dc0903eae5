package outbox_test

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/internal/examplenotes"
)

// A relay brings what was committed to a publisher, here a Go channel.
func ExampleRelay() {
	ctx, cancel := context.WithCancel(context.Background())
	notes, queue, _, done := examplenotes.Open(ctx)
	defer done()
	events := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	created, err := events.Subscribe(ctx, "note-created")
	must(err)

	relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: queue, Publisher: events}, nil)
	must(err)
	stopped := make(chan error)
	go func() { stopped <- relay.Run(ctx) }()

	_, err = notes.Create(ctx, "n1", Note{Text: "hello"})
	must(err)
	msg := <-created
	msg.Ack()
	note, err := cqrsfeed.DecodeItem[Note](msg)
	must(err)
	fmt.Println(msg.Metadata.Get(cqrsfeed.NameKey), note.ID, note.Body.Text)

	cancel()
	must(<-stopped)
	// Output:
	// ItemCreated n1 hello
}
