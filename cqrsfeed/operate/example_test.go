package operate_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

type note struct{ Tag string }

func tagsOf(n cqrsfeed.Item[note]) []string { return []string{n.Body.Tag} }

// The body of a command that audits a read model and repairs it. Here the read model is empty, as no projection runs.
func ExampleAudit() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[note](store, "note"))
	feeds := must(sqlitestore.NewFeedStore[note](store, "note"))
	check(store.EnsureSchema(ctx))
	must(notes.Create(ctx, "n1", note{Tag: "go"}))

	audit := readmodel.AuditConfig[note]{Source: notes, Store: feeds, FeedsOf: tagsOf}
	fmt.Println(errors.Is(operate.Audit(ctx, audit, os.Stdout), operate.ErrDrift))
	rebuild := readmodel.RebuildConfig[note]{Source: notes, Store: feeds, FeedsOf: tagsOf}
	var results strings.Builder
	check(operate.Rebuild(ctx, rebuild, 1, &results, io.Discard))
	fmt.Println(results.String()[:len("rebuilt: 1 items")])
	check(operate.Audit(ctx, audit, os.Stdout))
	// Output:
	// version of item "n1": want version 1, got nothing
	// audited: 1 items, 1 feeds; 1 drifts, 0 repaired
	// true
	// rebuilt: 1 items
	// audited: 1 items, 1 feeds; 0 drifts, 0 repaired
}

// The body of a command that lists the messages that were refused, and of one that returns them to the outbox.
func ExampleParked() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[note](store, "note"))
	check(store.EnsureSchema(ctx))
	check(operate.Parked(ctx, store.Outbox(), os.Stdout))

	must(notes.Create(ctx, "n1", note{}))
	must(store.Outbox().Drain(ctx, 10, nil, func(context.Context, []outbox.Message) []outbox.Result { // as a relay does
		return []outbox.Result{{Outcome: outbox.Park, Reason: errors.New("too\nlarge"), Attempts: 1}}
	}))
	var list strings.Builder
	check(operate.Parked(ctx, store.Outbox(), &list))
	line := strings.Fields(strings.Split(list.String(), "\n")[1])
	fmt.Println(line[1], line[4:])
	check(operate.Unpark(ctx, store.Outbox(), os.Stdout, line[0]))
	fmt.Println(operate.Discard(ctx, store.Outbox(), os.Stdout, line[0]))
	check(operate.UnparkAll(ctx, store.Outbox(), os.Stdout))
	// Output:
	// nothing is parked
	// note-created [too large]
	// returned to the outbox: 1 parked messages
	// discarded: 0 parked messages
	// 1 of the 1 messages: not parked
	// returned to the outbox: 0 parked messages
}

func openExample() *sql.DB {
	db := must(sql.Open("sqlite", sqlitestore.DSN(":memory:")))
	db.SetMaxOpenConns(1)
	return db
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
