package sqlitestore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// openExample opens a database in memory; an application gives DSN the path of a file and needs no limit.
func openExample() *sql.DB {
	db := must(sql.Open("sqlite", sqlitestore.DSN(":memory:")))
	db.SetMaxOpenConns(1)
	return db
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// printOutbox is a relay that prints messages.
func printOutbox(ctx context.Context, queue outbox.Outbox) {
	_, err := queue.Drain(ctx, 10, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		for _, m := range batch {
			fmt.Println("publish to", m.Topic)
		}
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
	})
	check(err)
}

// Items and their events are stored together.
func ExampleRepository() {
	type Post struct{ Title string }
	ctx := context.Background()
	db := openExample()
	defer db.Close()

	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	posts := must(sqlitestore.NewRepository[Post](store, "post"))
	check(store.EnsureSchema(ctx))

	posts.Create(ctx, "42", Post{Title: "Draft"})
	post, err := posts.Update(ctx, "42", func(p *Post) error {
		p.Title = "Final"
		return nil
	}, cqrsfeed.IfVersion(1))
	fmt.Println(post.Version, post.Body.Title, err)
	printOutbox(ctx, store.Outbox())
	// Output:
	// 2 Final <nil>
	// publish to post-created
	// publish to post-updated
}

// Code that is written against Watermill publishes within a transaction, here behind a Watermill decorator.
func ExampleOutbox_Publisher() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	check(store.EnsureSchema(ctx))
	must(db.ExecContext(ctx, "CREATE TABLE accounts (name TEXT)"))
	register := func(name string) error {
		return store.InTx(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, "INSERT INTO accounts VALUES (?)", name); err != nil {
				return err
			}
			stamp := func(m *message.Message) { m.Metadata.Set("schema", "v1") }
			publisher, err := message.MessageTransformPublisherDecorator(stamp)(store.Outbox().Publisher(tx))
			if err != nil {
				return err
			}
			if err := publisher.Publish("registered", message.NewMessage(name, []byte(name))); err != nil {
				return err
			}
			if name == "" {
				return errors.New("no name") // neither the row nor the message
			}
			return nil
		})
	}
	fmt.Println(register("ada"))
	fmt.Println(register(""))
	printOutbox(ctx, store.Outbox())
	// Output:
	// <nil>
	// no name
	// publish to registered
}

// A message that the broker refuses is parked, and other messages are published. An operator reads the reason, resolves
// it, and returns the message to the queue.
func ExampleOutbox_Parked() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	check(store.EnsureSchema(ctx))
	queue := store.Outbox()
	store.InTx(ctx, func(tx *sql.Tx) error {
		for _, text := range []string{"short", "much too long", "brief"} {
			if err := queue.Add(ctx, tx, "texts", message.NewMessage(text, []byte(text))); err != nil {
				return err
			}
		}
		return nil
	})

	limit := 5
	relay := func(_ context.Context, batch []outbox.Message) []outbox.Result { // what an outbox.Relay does
		results := make([]outbox.Result, len(batch))
		for i, m := range batch {
			if len(m.Message.Payload) > limit {
				results[i] = outbox.Result{Outcome: outbox.Park, Reason: fmt.Errorf("more than %d bytes", limit)}
				continue
			}
			fmt.Println("published", m.Message.UUID)
			results[i] = outbox.Result{Outcome: outbox.Published}
		}
		return results
	}
	queue.Drain(ctx, 10, nil, relay)

	parked, err := queue.Parked(ctx, "", 10)
	fmt.Println(len(parked), parked[0].Message.UUID, "-", parked[0].Reason, err)
	limit = 100
	fmt.Println(queue.Unpark(ctx, parked[0].ID))
	queue.Drain(ctx, 10, nil, relay)
	// Output:
	// published short
	// published brief
	// 1 much too long - more than 5 bytes <nil>
	// [1] <nil>
	// published much too long
}

// Feeds show items newest first, and know how many there are.
func ExampleFeedStore() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	feeds := must(sqlitestore.NewFeedStore[string](store, "post"))
	check(store.EnsureSchema(ctx))
	updated, err := feeds.Apply(ctx, []cqrsfeed.FeedChange[string]{
		{Item: cqrsfeed.Item[string]{ID: "1", Version: 1, Body: "Hello #go"}, Feeds: []string{"go"}},
		{Item: cqrsfeed.Item[string]{ID: "2", Version: 1, Body: "#go and #sql"}, Feeds: []string{"go", "sql"}},
	})
	fmt.Println(updated, err)

	page, err := feeds.Page(ctx, "go", "", 1)
	fmt.Println(page.Feed.Count, page.Items[0].Body, err)
	page, err = feeds.Page(ctx, "go", page.Next, 1)
	fmt.Println(page.Feed.Count, page.Items[0].Body, err)
	// Output:
	// [{go 1} {sql 1}] <nil>
	// 2 #go and #sql <nil>
	// 2 Hello #go <nil>
}

func ExampleDSN() {
	db := must(sql.Open("sqlite", sqlitestore.DSN(":memory:")))
	defer db.Close()
	var level string
	db.QueryRowContext(context.Background(), "PRAGMA synchronous").Scan(&level)
	fmt.Println("synchronous:", level)
	// Output: synchronous: 2
}
