package outbox

import (
	"context"
	"database/sql"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Publisher returns a publisher for code that is written against Watermill. Its messages become part of tx, as with
// Add, in the context of the first message. Close does nothing.
func (o *Outbox) Publisher(tx *sql.Tx) message.Publisher { return &publisher{o, tx} }

type publisher struct {
	outbox *Outbox
	tx     *sql.Tx
}

// Publish implements message.Publisher.
func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	ctx := context.Background()
	if len(messages) > 0 && messages[0] != nil {
		ctx = messages[0].Context()
	}
	return p.outbox.Add(ctx, p.tx, topic, messages...)
}

// Close implements message.Publisher. The caller ends the transaction.
func (*publisher) Close() error { return nil }
