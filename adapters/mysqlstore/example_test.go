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

// Items and their events are stored together. An outbox.Relay publishes the events.
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

	store, err := mysqlstore.New(db, mysqlstore.Config{})
	if err != nil {
		panic(err)
	}
	posts, err := mysqlstore.NewRepository[Post](store, "post")
	if err != nil {
		panic(err)
	}
	if err := store.EnsureSchema(ctx); err != nil {
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

// An application with tables of its own adds messages to the outbox inside its own transaction: they are published if and
// only if it commits.
//
//nolint:testableexamples // needs a MySQL server; integration/mysqlstore runs the same
func ExampleStore_inTx() {
	ctx := context.Background()
	db, err := sql.Open("mysql", "user:password@tcp(localhost:3306)/bank?interpolateParams=true")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	store, err := mysqlstore.New(db, mysqlstore.Config{})
	if err != nil {
		panic(err)
	}
	if err := store.EnsureSchema(ctx); err != nil {
		panic(err)
	}

	withdraw := func(account string, amount int) error {
		return store.InTx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE accounts SET balance = balance - ? WHERE name = ?", amount, account)
			if err != nil {
				return err
			}
			msg := message.NewMessage(watermill.NewUUID(), fmt.Appendf(nil, `{"account":%q,"amount":%d}`, account, amount))
			return store.Outbox().Add(ctx, tx, "money-withdrawn", msg)
		})
	}
	if err := withdraw("ann", 4); err != nil {
		panic(err)
	}
}
