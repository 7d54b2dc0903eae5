package postgresstore

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/outbox"
)

// Add is Outbox.Add for a transaction of pgx, which must be on the store's database: the messages are published if and
// only if it commits. Call Outbox.Committed after the commit.
func Add(ctx context.Context, queue *Outbox, tx pgx.Tx, topic string, messages ...*message.Message) error {
	return outbox.Insert(ctx, queue, execer{tx}, topic, messages...)
}

// Publisher is Outbox.Publisher for a transaction of pgx, for code that is written against Watermill. Close does nothing.
func Publisher(queue *Outbox, tx pgx.Tx) message.Publisher { return &publisher{queue, tx} }

type publisher struct {
	outbox *Outbox
	tx     pgx.Tx
}

// Publish implements message.Publisher.
func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	ctx := context.Background()
	if len(messages) > 0 && messages[0] != nil {
		ctx = messages[0].Context()
	}
	return Add(ctx, p.outbox, p.tx, topic, messages...)
}

// Close implements message.Publisher. The caller ends the transaction.
func (*publisher) Close() error { return nil }

// execer executes the statements of an outbox in a transaction of pgx.
type execer struct{ tx pgx.Tx }

// ExecContext implements sqldb.Execer.
func (e execer) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	done, err := e.tx.Exec(ctx, bind(query), args...)
	return driver.RowsAffected(done.RowsAffected()), err
}
