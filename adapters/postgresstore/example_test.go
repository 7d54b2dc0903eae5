package postgresstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// Items, their events and feeds are in one database. An outbox.Relay publishes the events.
//
//nolint:testableexamples // needs a PostgreSQL server; integration/postgresstore runs the same
func ExampleNewRepository() {
	type Post struct{ Text string }
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://user:password@localhost/blog")
	if err != nil {
		panic(err)
	}
	defer db.Close()

	store, err := postgresstore.New(db, postgresstore.Config{})
	if err != nil {
		panic(err)
	}
	posts, err := postgresstore.NewRepository[Post](store, "post")
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

// A feed store is a read model: its Page is what a stream loads.
//
//nolint:testableexamples // needs a PostgreSQL server; integration/postgresstore runs the same
func ExampleNewFeedStore() {
	type Post struct{ Text string }
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://user:password@localhost/blog")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	store, err := postgresstore.New(db, postgresstore.Config{})
	if err != nil {
		panic(err)
	}
	feeds, err := postgresstore.NewFeedStore[Post](store, "post")
	if err != nil {
		panic(err)
	}
	if err := store.EnsureSchema(ctx); err != nil {
		panic(err)
	}

	page, err := feeds.Page(ctx, "go", "", 50)
	if err != nil {
		panic(err)
	}
	fmt.Println(page.Feed.Count, "posts,", len(page.Items), "on the first page")
}

// A table projection keeps a table of the application's own. Its statements have PostgreSQL's placeholders.
//
//nolint:testableexamples // needs a PostgreSQL server; integration/postgresstore runs the same
func ExampleNewTableProjection() {
	type Score struct {
		Player string
		Points int64
	}
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://user:password@localhost/game")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	store, err := postgresstore.New(db, postgresstore.Config{})
	if err != nil {
		panic(err)
	}
	add := func(ctx context.Context, tx *sql.Tx, score *cqrsfeed.Item[Score], sign int64) error {
		if score == nil {
			return nil
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO leaderboard (player, points) VALUES ($1, $2)
			ON CONFLICT (player) DO UPDATE SET points = leaderboard.points + excluded.points`, score.Body.Player, sign*score.Body.Points)
		return err
	}
	_, err = postgresstore.NewTableProjection(store, "leaderboard",
		func(ctx context.Context, tx *sql.Tx, before, after *cqrsfeed.Item[Score]) error {
			return errors.Join(add(ctx, tx, before, -1), add(ctx, tx, after, 1))
		})
	if err != nil {
		panic(err)
	}
	if err := store.EnsureSchema(ctx); err != nil {
		panic(err)
	}
}

// An application with tables of its own adds messages to the outbox inside its own transaction: they are published if and
// only if it commits.
//
//nolint:testableexamples // needs a PostgreSQL server; integration/postgresstore runs the same
func ExampleStore_inTx() {
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://user:password@localhost/bank")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	store, err := postgresstore.New(db, postgresstore.Config{})
	if err != nil {
		panic(err)
	}
	if err := store.EnsureSchema(ctx); err != nil {
		panic(err)
	}

	withdraw := func(account string, amount int) error {
		return store.InTx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE accounts SET balance = balance - $1 WHERE name = $2", amount, account)
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

// An application on pgx has its store on the pool, and adds messages in transactions of pgx.
//
//nolint:testableexamples // needs a PostgreSQL server; integration/postgresstore runs the same
func ExampleAdd() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://user:password@localhost/bank")
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	store, err := postgresstore.New(db, postgresstore.Config{})
	if err != nil {
		panic(err)
	}
	if err := store.EnsureSchema(ctx); err != nil {
		panic(err)
	}

	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE accounts SET balance = balance - 4 WHERE name = 'ann'"); err != nil {
			return err
		}
		msg := message.NewMessage(watermill.NewUUID(), []byte(`{"account":"ann","amount":4}`))
		return postgresstore.Add(ctx, store.Outbox(), tx, "money-withdrawn", msg)
	})
	if err != nil {
		panic(err)
	}
	store.Outbox().Committed()
}

// Publisher is for code that is written against Watermill.
//
//nolint:testableexamples // needs a PostgreSQL server; integration/postgresstore runs the same
func ExamplePublisher() {
	var (
		ctx   context.Context
		pool  *pgxpool.Pool
		queue *postgresstore.Outbox // of a store on the pool
	)
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		return postgresstore.Publisher(queue, tx).Publish("hello", message.NewMessage(watermill.NewUUID(), []byte("world")))
	})
	if err == nil {
		queue.Committed()
	}
}
