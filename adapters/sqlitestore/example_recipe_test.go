package sqlitestore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

type bank struct{ store *sqlitestore.Store }

type moneyWithdrawn struct {
	Account string `json:"account"`
	Amount  int    `json:"amount"`
}

var errTooPoor = errors.New("the account has less than that")

func (b *bank) withdraw(ctx context.Context, account string, amount int) error {
	return b.store.InTx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx,
			"UPDATE accounts SET balance = balance - ? WHERE name = ? AND balance >= ?", amount, account, amount)
		if err != nil {
			return err
		}
		if changed, err := result.RowsAffected(); err != nil || changed == 0 {
			return errors.Join(err, errTooPoor)
		}
		event, err := cqrsfeed.NewMessage("MoneyWithdrawn", moneyWithdrawn{account, amount})
		if err != nil {
			return err
		}
		return b.store.Outbox().Add(ctx, tx, "money-withdrawn", event)
	})
}

// An application with tables of its own adds messages to the outbox inside its own transaction: they are published if and
// only if it commits.
func ExampleStore_inTx() {
	ctx, stop := context.WithCancel(context.Background())
	db := openExample()
	defer db.Close()
	store := must(sqlitestore.New(db, sqlitestore.Config{}))
	check(store.EnsureSchema(ctx))
	db.ExecContext(ctx, "CREATE TABLE accounts (name TEXT PRIMARY KEY, balance INTEGER NOT NULL)")
	db.ExecContext(ctx, "INSERT INTO accounts VALUES ('ann', 10)")

	events := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	withdrawn := must(events.Subscribe(ctx, "money-withdrawn"))
	relay := must(outbox.NewRelay(outbox.RelayConfig{Outbox: store.Outbox(), Publisher: events}, nil))
	stopped := make(chan error)
	go func() { stopped <- relay.Run(ctx) }()

	b := &bank{store}
	for _, amount := range []int{4, 9, 6} {
		err := b.withdraw(ctx, "ann", amount)
		fmt.Println("withdraw", amount, err)
		if err == nil {
			event := <-withdrawn
			event.Ack()
			fmt.Println(string(event.Payload))
		}
	}
	stop()
	<-stopped
	// Output:
	// withdraw 4 <nil>
	// {"account":"ann","amount":4}
	// withdraw 9 the account has less than that
	// withdraw 6 <nil>
	// {"account":"ann","amount":6}
}
