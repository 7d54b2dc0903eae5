package projector_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// total counts notes. It publishes the number now and then instead of with every note.
type total struct {
	mu        sync.Mutex
	notes     map[string]bool
	announced int
}

// Apply implements projector.Projection.
func (t *total) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, msg := range batch {
		note, err := cqrsfeed.DecodeItem[Note](msg)
		if err != nil {
			return nil, &cqrsfeed.RefusedError{Message: msg, Reason: err}
		}
		t.notes[note.ID] = true
	}
	return nil, nil
}

// Sweep implements projector.Projection. It returns each update once: the projector publishes it until that succeeds.
func (t *total) Sweep(context.Context) ([]*message.Message, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.notes) == t.announced {
		return nil, nil
	}
	t.announced = len(t.notes)
	return []*message.Message{message.NewMessage(watermill.NewUUID(), fmt.Appendf(nil, "%d notes", t.announced))}, nil
}

// A projection whose Sweep publishes a total.
func ExampleProjection_sweep() {
	ctx, cancel := context.WithCancel(context.Background())
	events := gochannel.NewGoChannel(gochannel.Config{BlockPublishUntilSubscriberAck: true}, watermill.NopLogger{})
	updates := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	totals, err := updates.Subscribe(ctx, "total-changed")
	must(err)
	proj, err := projector.New(projector.Config{
		Subscriber: events, Topics: []string{"note-created"}, Projection: &total{notes: map[string]bool{}},
		Publisher: updates, UpdatesTopic: "total-changed", PoisonTopic: "poison", SweepInterval: 10 * time.Millisecond,
	}, nil)
	must(err)
	stopped := make(chan error)
	go func() { stopped <- proj.Run(ctx) }()
	<-proj.Running()

	for _, id := range []string{"n1", "n2", "n1"} {
		must(events.Publish("note-created", noteCreated(id, "hello")))
	}
	last := ""
	for last != "2 notes" {
		msg := <-totals
		last = string(msg.Payload)
		msg.Ack()
	}
	fmt.Println(last)

	cancel()
	must(<-stopped)
	// Output:
	// 2 notes
}
