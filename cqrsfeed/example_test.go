package cqrsfeed_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// Note is what the examples store.
type Note struct {
	Text string
	Tags []string
}

// openNotes returns a write model with its outbox and feeds in an SQLite file that done removes.
func openNotes(ctx context.Context) (
	notes *sqlitestore.Repository[Note], outbox *sqlitestore.Outbox, feeds *sqlitestore.FeedStore[Note], done func(),
) {
	dir, err := os.MkdirTemp("", "notes")
	must(err)
	db, err := sql.Open("sqlite", sqlitestore.DSN(filepath.Join(dir, "notes.db")))
	must(err)
	outbox, err = sqlitestore.NewOutbox(db, sqlitestore.OutboxConfig{})
	must(err)
	notes, err = sqlitestore.NewRepository[Note](db, outbox, sqlitestore.RepositoryConfig{
		Topics: cqrsfeed.Topics{Created: "note-created", Updated: "note-updated", Deleted: "note-deleted"},
	})
	must(err)
	feeds, err = sqlitestore.NewFeedStore[Note](db, sqlitestore.FeedStoreConfig{})
	must(err)
	must(errors.Join(outbox.EnsureSchema(ctx), notes.EnsureSchema(ctx), feeds.EnsureSchema(ctx)))
	return notes, outbox, feeds, func() {
		must(db.Close())
		must(os.RemoveAll(dir))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func ExampleRepository() {
	ctx := context.Background()
	notes, _, _, done := openNotes(ctx)
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

// Two people edit version 1; the second one is told instead of overwriting the first.
func ExampleIfVersion() {
	ctx := context.Background()
	notes, _, _, done := openNotes(ctx)
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

// A relay brings what was committed to a publisher, here a Go channel.
func ExampleRelay() {
	ctx, cancel := context.WithCancel(context.Background())
	notes, outbox, _, done := openNotes(ctx)
	defer done()
	events := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	created, err := events.Subscribe(ctx, "note-created")
	must(err)

	relay, err := cqrsfeed.NewRelay(cqrsfeed.RelayConfig{Outbox: outbox, Publisher: events}, nil)
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

// sizeLimit is the decorator of a publisher that does not say itself what its broker will never take.
type sizeLimit struct {
	message.Publisher

	most int
}

var errTooLarge = errors.New("the broker takes no message of that size")

func (p sizeLimit) Publish(topic string, messages ...*message.Message) error {
	for _, msg := range messages {
		if len(msg.Payload) > p.most { // or: where the publisher's error says so
			return &cqrsfeed.RefusedError{Message: msg, Reason: errTooLarge}
		}
	}
	return p.Publisher.Publish(topic, messages...)
}

// A note is too large for the broker. It is parked with the reason, and the one behind it is published.
func ExampleRefusedError() {
	ctx, cancel := context.WithCancel(context.Background())
	notes, outbox, _, done := openNotes(ctx)
	defer done()
	events := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	created, err := events.Subscribe(ctx, "note-created")
	must(err)
	for id, text := range []string{strings.Repeat("long ", 1000), "hello"} {
		_, err := notes.Create(ctx, fmt.Sprintf("n%d", id), Note{Text: text})
		must(err)
	}

	relay, err := cqrsfeed.NewRelay(cqrsfeed.RelayConfig{Outbox: outbox, Publisher: sizeLimit{events, 1000}}, nil)
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

	parked, err := outbox.Parked(context.Background(), "", 10)
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

// wordCount is a projection of one's own: how many words each note has. A version that comes late changes
// nothing, and one that comes again is announced again, because its first announcement may have been lost.
type wordCount struct {
	versions map[string]int64
	words    map[string]int
}

func (c *wordCount) Apply(_ context.Context, batch []*message.Message) ([]*message.Message, error) {
	var notes []cqrsfeed.Item[Note]
	var poison []error
	for _, msg := range batch {
		note, err := cqrsfeed.DecodeItem[Note](msg)
		if err != nil {
			poison = append(poison, &cqrsfeed.PoisonError{Message: msg, Reason: err})
			continue
		}
		notes = append(notes, note)
	}
	if len(poison) > 0 {
		return nil, errors.Join(poison...) // the others come again at once
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

	projector, err := cqrsfeed.NewProjector(cqrsfeed.ProjectorConfig{
		Subscriber:   events,
		Topics:       []string{"note-created"},
		Projection:   &wordCount{versions: map[string]int64{}, words: map[string]int{}},
		Publisher:    events,
		UpdatesTopic: "words-counted",
		PoisonTopic:  "poison",
	}, nil)
	must(err)
	stopped := make(chan error)
	go func() { stopped <- projector.Run(ctx) }()
	<-projector.Running()

	must(events.Publish("note-created", message.NewMessage("m1", []byte("this is no JSON"))))
	note, err := cqrsfeed.NewMessage(cqrsfeed.ItemCreatedName, cqrsfeed.ItemCreated[Note]{
		Item: cqrsfeed.Item[Note]{ID: "n1", Version: 1, Body: Note{Text: "hello"}},
	})
	must(err)
	must(events.Publish("note-created", note))

	dead := <-poison
	dead.Ack()
	fmt.Println("poison:", dead.UUID, "from", dead.Metadata.Get(cqrsfeed.PoisonTopicKey))
	update := <-counted
	update.Ack()
	fmt.Println("counted:", string(update.Payload))

	cancel()
	must(<-stopped)
	// Output:
	// poison: m1 from note-created
	// counted: "n1"
}

// Notes are in the feeds of their tags, whatever order their versions arrive in.
func ExampleTagFeeds() {
	ctx := context.Background()
	_, _, feeds, done := openNotes(ctx)
	defer done()
	tagFeeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[Note]{
		Store:   feeds,
		FeedsOf: func(note cqrsfeed.Item[Note]) []string { return note.Body.Tags },
	})
	must(err)

	version := func(version int64, tags ...string) *message.Message {
		msg, err := cqrsfeed.NewMessage(cqrsfeed.ItemUpdatedName, cqrsfeed.ItemUpdated[Note]{
			Item: cqrsfeed.Item[Note]{ID: "n1", Version: version, Body: Note{Tags: tags}},
		})
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
