package mysqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	_ "github.com/go-sql-driver/mysql"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// Items and their events are stored together. A outbox.Relay publishes the events from the outbox.
//
//nolint:testableexamples // needs a MySQL server; integration/mysqlstore runs the same
func ExampleNewRepository() {
	type Post struct{ Text string }
	ctx := context.Background()
	db, err := sql.Open("mysql", "user:password@tcp(localhost:3306)/blog?interpolateParams=true")
	if err != nil {
		panic(err)
	}
	defer db.Close()

	outbox, err := mysqlstore.NewOutbox(db, mysqlstore.OutboxConfig{})
	if err != nil {
		panic(err)
	}
	posts, err := mysqlstore.NewRepository[Post](db, outbox, mysqlstore.RepositoryConfig{
		Table:  "posts",
		Topics: cqrsfeed.Topics{Created: "post-created", Updated: "post-updated", Deleted: "post-deleted"},
	})
	if err != nil {
		panic(err)
	}
	if err := errors.Join(outbox.EnsureSchema(ctx), posts.EnsureSchema(ctx)); err != nil {
		panic(err)
	}

	post, err := posts.Create(ctx, "42", Post{Text: "Hello #go"})
	switch {
	case errors.Is(err, cqrsfeed.ErrExists):
		fmt.Println("somebody else took the id")
	case err != nil:
		panic(err)
	default:
		fmt.Println("created", post.ID, "with version", post.Version)
	}
}

// An application with tables of its own puts messages into the outbox inside of its own transaction: they are
// published if and only if it commits.
//
//nolint:testableexamples // needs a MySQL server; integration/mysqlstore runs the same
func ExampleOutbox_Add() {
	ctx := context.Background()
	db, err := sql.Open("mysql", "user:password@tcp(localhost:3306)/bank?interpolateParams=true")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	outbox, err := mysqlstore.NewOutbox(db, mysqlstore.OutboxConfig{})
	if err != nil {
		panic(err)
	}
	if err := outbox.EnsureSchema(ctx); err != nil {
		panic(err)
	}

	withdraw := func(account string, amount int) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() // does nothing after the commit
		_, err = tx.ExecContext(ctx, "UPDATE accounts SET balance = balance - ? WHERE name = ?", amount, account)
		if err != nil {
			return err
		}
		msg := message.NewMessage(watermill.NewUUID(), fmt.Appendf(nil, `{"account":%q,"amount":%d}`, account, amount))
		if err := outbox.Add(ctx, tx, "money-withdrawn", msg); err != nil {
			return err
		}
		err = tx.Commit()
		outbox.Committed() // wakes the relay; also after an error, for the answer alone may have been lost
		return err
	}
	if err := withdraw("ann", 4); err != nil {
		panic(err)
	}
}
