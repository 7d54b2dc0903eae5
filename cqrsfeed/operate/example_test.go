package operate_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"strings"

	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
)

type note struct{ Tag string }

func tagsOf(n cqrsfeed.Item[note]) []string { return []string{n.Body.Tag} }

// A program runs the command of its command line. Here the read model is empty, because no projection runs.
func ExampleRun() {
	ctx := context.Background()
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	notes := must(sqlitestore.NewRepository[note](store, "note"))
	feeds := must(sqlitestore.NewFeedStore[note](store, "note"))
	check(store.EnsureSchema(ctx))
	must(notes.Create(ctx, "n1", note{Tag: "go"}))

	run := func(args ...string) (string, error) {
		command := operate.Command{Name: args[0]}
		if err := command.Parse(flag.NewFlagSet(args[0], flag.ContinueOnError), args[1:]); err != nil {
			return "", err
		}
		var results strings.Builder
		err := operate.Run(ctx, command, operate.Target[note]{
			Source: notes, Store: feeds, FeedsOf: tagsOf, Outbox: store.Outbox(),
		}, &results, io.Discard)
		return results.String(), err
	}
	fmt.Println(run("audit"))
	results, err := run("rebuild")
	fmt.Println(results[:len("rebuilt: 1 item read")], err)
	fmt.Println(run("audit", "-repair"))
	fmt.Println(run("parked"))
	fmt.Println(run("discard", "1"))
	// Output:
	// version of item "n1": want version 1, got nothing
	// audited: 1 item, 1 feed; 1 drift, 0 repaired
	//  audit: the read model differs from the write model in 1 place
	// rebuilt: 1 item read <nil>
	// audited: 1 item, 1 feed; 0 drifts, 0 repaired
	//  <nil>
	// nothing was set aside
	//  <nil>
	// 0 of 1 message discarded
	//  1: not parked
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
