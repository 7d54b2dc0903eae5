package crashtest_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	"modernc.org/sqlite"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
)

// A driver sends every command as a step of its process. This process stops after its second command: the response is lost, and
// later commands are not sent.
func ExampleProcess() {
	process := crashtest.NewProcess(context.Background(), 2)
	var server []string
	send := func(command string) error {
		return process.Step(command, func() error {
			server = append(server, command)
			return nil
		})
	}
	for _, command := range []string{"put a", "put b", "put c"} {
		fmt.Printf("%s: %v\n", command, send(command))
	}
	fmt.Println("the server has", server)
	// Output:
	// put a: <nil>
	// put b: the process was stopped
	// put c: the process was stopped
	// the server has [put a put b]
}

// A transaction moves money between two accounts, and the process stops after each statement in turn. The money has moved only
// after the commit, whose result the process does not receive.
func ExampleConnector() {
	dir, err := os.MkdirTemp("", "crash")
	must(err)
	defer func() { must(os.RemoveAll(dir)) }()
	ctx, path := context.Background(), filepath.Join(dir, "bank.db")
	healthy, err := sql.Open("sqlite", path)
	must(err)
	defer func() { must(healthy.Close()) }()
	_, err = healthy.ExecContext(ctx, "CREATE TABLE accounts (name TEXT, balance INT)")
	must(err)

	for last := 1; ; last++ { // a transaction has four steps
		_, err := healthy.ExecContext(ctx, "DELETE FROM accounts; INSERT INTO accounts VALUES ('Ada', 10), ('Bob', 0)")
		must(err)
		connector, err := sqlite.NewConnector(path)
		must(err)
		db := sql.OpenDB(crashtest.Connector(connector, crashtest.NewProcess(ctx, last)))
		failure := transfer(ctx, db)
		must(db.Close()) // the process has ended
		var bob int
		must(healthy.QueryRowContext(ctx, "SELECT balance FROM accounts WHERE name = 'Bob'").Scan(&bob))
		fmt.Printf("stopped after step %d: Bob has %d, error: %v\n", last, bob, failure)
		if failure == nil {
			return
		}
	}
	// Output:
	// stopped after step 1: Bob has 0, error: the process was stopped
	// stopped after step 2: Bob has 0, error: the process was stopped
	// stopped after step 3: Bob has 0, error: the process was stopped
	// stopped after step 4: Bob has 5, error: the process was stopped
	// stopped after step 5: Bob has 5, error: <nil>
}

func transfer(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	if _, err := tx.ExecContext(ctx, "UPDATE accounts SET balance = balance - 5 WHERE name = 'Ada'"); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE accounts SET balance = balance + 5 WHERE name = 'Bob'"); err != nil {
		return err
	}
	return tx.Commit()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
