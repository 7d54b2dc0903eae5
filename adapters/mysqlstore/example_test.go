package mysqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// The program opens the database; the store tells what is wrong with how it was set up before it uses it.
func ExampleNewRepository() {
	db, err := sql.Open("mysql", "user:password@tcp(localhost:3306)/app?interpolateParams=true")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	outbox, err := mysqlstore.NewOutbox(db, mysqlstore.OutboxConfig{Table: "posts_outbox"})
	if err != nil {
		panic(err)
	}
	_, err = mysqlstore.NewRepository[string](db, outbox, mysqlstore.RepositoryConfig{
		Table:  "posts; DROP TABLE posts",
		Topics: cqrsfeed.Topics{Created: "post-created", Updated: "post-updated", Deleted: "post-deleted"},
	})
	fmt.Println(errors.Is(err, cqrsfeed.ErrInvalid))
	// Output: true
}

// An application with tables of its own puts messages into the outbox inside of its own transaction.
func ExampleOutbox_Add() {
	withdraw := func(ctx context.Context, db *sql.DB, outbox *mysqlstore.Outbox, amount int) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, "UPDATE accounts SET balance = balance - ?", amount); err != nil {
			return err
		}
		msg := message.NewMessage(watermill.NewUUID(), fmt.Appendf(nil, `{"amount":%d}`, amount))
		if err := outbox.Add(ctx, tx, "money-withdrawn", msg); err != nil {
			return err
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		outbox.Committed() // wakes the relay
		return nil
	}
	fmt.Printf("%T\n", withdraw)
	// Output: func(context.Context, *sql.DB, *mysqlstore.Outbox, int) error
}
