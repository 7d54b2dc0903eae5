package sqlstore

import (
	"context"
	"database/sql"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Publisher returns a publisher for code that is written against Watermill: what it publishes is part of tx, as with Add,
// within the context of the first message. Close does nothing.
func (o *Outbox) Publisher(tx *sql.Tx) message.Publisher { return &publisher{o, tx} }

type publisher struct {
	outbox *Outbox
	tx     *sql.Tx
}

// Publish uses the context of the first message, as Watermill's publishers get theirs.
func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	ctx := context.Background()
	if len(messages) > 0 && messages[0] != nil {
		ctx = messages[0].Context()
	}
	return p.outbox.Add(ctx, p.tx, topic, messages...)
}

// Close has nothing to close: the transaction is its owner's.
func (*publisher) Close() error { return nil }
