package cqrsfeed_test

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
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/internal/examplenotes"
)

func ExampleRepository() {
	ctx := context.Background()
	notes, _, _, done := examplenotes.Open(ctx)
	defer done()

	note, err := notes.Create(ctx, "n1", Note{Text: "hello"})
	must(err)
	fmt.Println(note.Version, note.Body.Text)

	note, err = notes.Update(ctx, "n1", func(body *Note) error {
		body.Text += ", world"
		return nil
	})
	must(err)
	fmt.Println(note.Version, note.Body.Text)

	_, err = notes.Create(ctx, "n1", Note{})
	fmt.Println(errors.Is(err, cqrsfeed.ErrExists))
	_, err = notes.Get(ctx, "n2")
	fmt.Println(errors.Is(err, cqrsfeed.ErrNotFound))
	// Output:
	// 1 hello
	// 2 hello, world
	// true
	// true
}

// Two people edit version 1. The second edit fails instead of overwriting the first.
func ExampleIfVersion() {
	ctx := context.Background()
	notes, _, _, done := examplenotes.Open(ctx)
	defer done()
	note, err := notes.Create(ctx, "n1", Note{Text: "hello"})
	must(err)

	for _, text := range []string{"hello, Ann", "hello, Bob"} {
		_, err := notes.Update(ctx, note.ID, func(body *Note) error {
			body.Text = text
			return nil
		}, cqrsfeed.IfVersion(note.Version))
		fmt.Println(text, errors.Is(err, cqrsfeed.ErrConflict))
	}
	// Output:
	// hello, Ann false
	// hello, Bob true
}

// sizeLimit decorates a publisher that does not mark refusals itself.
type sizeLimit struct {
	message.Publisher

	most int
}

var errTooLarge = errors.New("the broker takes no message of that size")

func (p sizeLimit) Publish(topic string, messages ...*message.Message) error {
	for _, msg := range messages {
		if len(msg.Payload) > p.most { // or if the error of the publisher says so
			return &cqrsfeed.RefusedError{Message: msg, Reason: errTooLarge}
		}
	}
	return p.Publisher.Publish(topic, messages...)
}

// A note is too large for the broker. It is parked with the reason, and the next note is published.
func ExampleRefusedError() {
	ctx, cancel := context.WithCancel(context.Background())
	notes, queue, _, done := examplenotes.Open(ctx)
	defer done()
	events := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	created, err := events.Subscribe(ctx, "note-created")
	must(err)
	for id, text := range []string{strings.Repeat("long ", 1000), "hello"} {
		_, err := notes.Create(ctx, fmt.Sprintf("n%d", id), Note{Text: text})
		must(err)
	}

	relay, err := outbox.NewRelay(outbox.RelayConfig{Outbox: queue, Publisher: sizeLimit{events, 1000}}, nil)
	must(err)
	stopped := make(chan error)
	go func() { stopped <- relay.Run(ctx) }()
	msg := <-created
	msg.Ack()
	note, err := cqrsfeed.DecodeItem[Note](msg)
	must(err)
	fmt.Println("published:", note.ID)
	cancel()
	must(<-stopped)

	parked, err := queue.Parked(context.Background(), "", 10)
	must(err)
	for _, m := range parked {
		note, err := cqrsfeed.DecodeItem[Note](m.Message)
		must(err)
		fmt.Println("parked:", note.ID, "-", m.Reason)
	}
	// Output:
	// published: n1
	// parked: n0 - the broker takes no message of that size
}

// Notes are in the feeds of their tags, whatever the order in which their versions arrive.
func ExampleTagFeeds() {
	ctx := context.Background()
	_, _, feeds, done := examplenotes.Open(ctx)
	defer done()
	tagFeeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[Note]{
		Store:   feeds,
		FeedsOf: func(note cqrsfeed.Item[Note]) []string { return note.Body.Tags },
	})
	must(err)

	version := func(version int64, tags ...string) *message.Message {
		msg, err := cqrsfeed.ItemUpdated[Note]{
			Item: cqrsfeed.Item[Note]{ID: "n1", Version: version, Body: Note{Tags: tags}},
		}.Message()
		must(err)
		return msg
	}
	for _, msg := range []*message.Message{version(2, "b", "c"), version(1, "a", "b")} {
		_, err := tagFeeds.Apply(ctx, []*message.Message{msg})
		must(err)
	}
	list, err := feeds.Feeds(ctx, "", 10)
	must(err)
	for _, feed := range list {
		fmt.Println(feed.Name, feed.Count)
	}
	// Output:
	// b 1
	// c 1
}
