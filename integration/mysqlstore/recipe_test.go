package mysqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// docs/outbox.md shows what is between here and the test; adapters/sqlitestore has the same on SQLite.

type bank struct{ store *mysqlstore.Store }

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

// TestOutboxForTablesOfOnesOwn runs the recipe with a relay that never polls: an event comes if and only if its
// transaction was committed, and because of the wake-up.
func TestOutboxForTablesOfOnesOwn(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		db := openDB(t, s.fresh(t))
		b := &bank{newStore(t, db)}
		require.NoError(t, b.store.EnsureSchema(t.Context()))
		for _, statement := range []string{
			"CREATE TABLE accounts (name VARCHAR(100) PRIMARY KEY, balance INT NOT NULL)", "INSERT INTO accounts VALUES ('ann', 10)",
		} {
			_, err := db.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		published := make(chan *message.Message, 10)
		relay, err := outbox.NewRelay(outbox.RelayConfig{
			Outbox: b.store.Outbox(), Publisher: channelPublisher(published), PollInterval: time.Hour,
		}, nil)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- relay.Run(ctx) }()

		require.NoError(t, b.withdraw(ctx, "ann", 4))
		assert.JSONEq(t, `{"account":"ann","amount":4}`, string((<-published).Payload))
		require.ErrorIs(t, b.withdraw(ctx, "ann", 9), errTooPoor)
		require.NoError(t, b.withdraw(ctx, "ann", 6))
		assert.JSONEq(t, `{"account":"ann","amount":6}`, string((<-published).Payload))
		stop()
		require.NoError(t, <-done)
		assert.Empty(t, published)
	})
}

// channelPublisher is a publisher into a channel.
type channelPublisher chan<- *message.Message

func (c channelPublisher) Publish(_ string, messages ...*message.Message) error {
	for _, msg := range messages {
		c <- msg
	}
	return nil
}

func (channelPublisher) Close() error { return nil }
