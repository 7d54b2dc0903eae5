package projector_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/internal/examplenotes"
)

// updates is a publisher that receives what changed, as an ssestream.Router does.
type updates chan cqrsfeed.FeedUpdated

func (u updates) Publish(_ string, messages ...*message.Message) error {
	for _, msg := range messages {
		var update cqrsfeed.FeedUpdated
		if err := json.Unmarshal(msg.Payload, &update); err != nil {
			return err
		}
		u <- update
	}
	return nil
}

func (updates) Close() error { return nil }

// Without a broker: the relay publishes into the projector, and the projector into whatever follows the feeds. Without a
// PoisonTopic the relay parks what can never be applied.
func ExampleProjector_Publish() {
	ctx, cancel := context.WithCancel(context.Background())
	notes, queue, feeds, done := examplenotes.Open(ctx)
	defer done()
	changed := make(updates, 10)
	tagFeeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[Note]{
		Store:   feeds,
		FeedsOf: func(note cqrsfeed.Item[Note]) []string { return note.Body.Tags },
	})
	must(err)
	proj, err := projector.New(projector.Config{Projection: tagFeeds, Publisher: changed, UpdatesTopic: "feed-updated"}, nil)
	must(err)
	relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: queue, Publisher: proj}, nil)
	must(err)
	stopped := make(chan error)
	go func() { stopped <- relay.Run(ctx) }()

	_, err = notes.Create(ctx, "n1", Note{Text: "hello", Tags: []string{"greetings"}})
	must(err)
	update := <-changed
	fmt.Println(update.Feed, "changed")
	page, err := feeds.Page(ctx, update.Feed, "", 10)
	must(err)
	fmt.Println(page.Items[0].Body.Text)

	cancel()
	must(<-stopped)
	// Output:
	// greetings changed
	// hello
}
