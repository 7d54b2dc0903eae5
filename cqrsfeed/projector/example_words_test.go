package projector_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// wordCount is a projection of an application: how many words each note has. An older version changes nothing. One that
// comes again returns its update again, because the first one may not have been published.
type wordCount struct {
	projector.NoSweep

	versions map[string]int64
	words    map[string]int
}

func (c *wordCount) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	var notes []cqrsfeed.Item[Note]
	var refused []error
	for _, msg := range batch {
		note, err := cqrsfeed.DecodeItem[Note](msg)
		if err != nil {
			refused = append(refused, &cqrsfeed.RefusedError{Message: msg, Reason: err})
			continue
		}
		notes = append(notes, note)
	}
	if len(refused) > 0 {
		return nil, errors.Join(refused...) // the others come again at once
	}
	var updates []*message.Message
	for _, note := range notes {
		if note.Version < c.versions[note.ID] {
			continue
		}
		c.versions[note.ID], c.words[note.ID] = note.Version, len(strings.Fields(note.Body.Text))
		update, err := cqrsfeed.NewMessage("WordsCounted", note.ID)
		if err != nil {
			return nil, err
		}
		updates = append(updates, update)
	}
	return updates, nil
}

func ExampleProjector() {
	ctx, cancel := context.WithCancel(context.Background())
	events := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	counted, err := events.Subscribe(ctx, "words-counted")
	must(err)
	poison, err := events.Subscribe(ctx, "poison")
	must(err)

	p, err := projector.New(projector.Config{
		Subscriber:   events,
		Topics:       []string{"note-created"},
		Projection:   &wordCount{versions: map[string]int64{}, words: map[string]int{}},
		Publisher:    events,
		UpdatesTopic: "words-counted",
		PoisonTopic:  "poison",
	}, nil)
	must(err)
	stopped := make(chan error)
	go func() { stopped <- p.Run(ctx) }()
	<-p.Running()

	must(events.Publish("note-created", message.NewMessage("m1", []byte("this is no JSON"))))
	note, err := cqrsfeed.ItemCreated[Note]{
		Item: cqrsfeed.Item[Note]{ID: "n1", Version: 1, Body: Note{Text: "hello"}},
	}.Message()
	must(err)
	must(events.Publish("note-created", note))

	dead := <-poison
	dead.Ack()
	fmt.Println("poison:", dead.UUID, "from", dead.Metadata.Get(projector.PoisonTopicKey))
	update := <-counted
	update.Ack()
	fmt.Println("counted:", string(update.Payload))

	cancel()
	must(<-stopped)
	// Output:
	// poison: m1 from note-created
	// counted: "n1"
}
