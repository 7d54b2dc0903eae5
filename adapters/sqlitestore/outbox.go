package sqlitestore

import (
	"context"
	"database/sql"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// OutboxConfig says where an Outbox keeps its messages.
type OutboxConfig struct {
	// Table is the name of the queue's table: 1 to 57 ASCII letters, digits and underscores. What the broker
	// refused is in a table with _parked behind that name. Defaults to "outbox".
	Table string
}

// Validate says what is wrong with the configuration.
func (c OutboxConfig) Validate() error { return sqlstore.OutboxConfig(c).Validate() }

// Outbox is a table of messages that a outbox.Relay publishes. A repository puts its events there; an
// application with tables of its own puts messages there inside of its own transactions, and they are
// published if and only if it commits. Outboxes are safe for concurrent use.
type Outbox struct{ inner *sqlstore.Outbox }

var (
	_ outbox.Outbox     = (*Outbox)(nil)
	_ outbox.Operations = (*Outbox)(nil)
)

// NewOutbox returns an outbox in db, which stays the caller's. It does not touch the database.
func NewOutbox(db *sql.DB, config OutboxConfig) (*Outbox, error) {
	inner, err := sqlstore.NewOutbox(db, dialect(), sqlstore.OutboxConfig(config))
	if err != nil {
		return nil, err
	}
	return &Outbox{inner}, nil
}

// EnsureSchema creates the tables that do not exist, also beside those of an earlier version, and fails when one
// has other columns. It may run at every start, in several processes at once; where the tables are there already
// it needs no right to create any.
func (o *Outbox) EnsureSchema(ctx context.Context) error { return o.inner.EnsureSchema(ctx) }

// Add puts messages for the topic into the outbox, in their order, as part of tx, which must be on the
// outbox's database. Topics, UUIDs and metadata are valid UTF-8, the first two of at most 255 bytes; other
// messages are refused with ErrInvalid. Those that carry no trace get that of ctx into their metadata
// (driver.InjectTrace). Call Committed when tx is committed.
func (o *Outbox) Add(ctx context.Context, tx *sql.Tx, topic string, msgs ...*message.Message) error {
	return o.inner.Add(ctx, tx, topic, msgs...)
}

// Publisher returns a publisher for code that is written against Watermill: what it publishes is part of
// tx, as with Add, within the context of the first message. Close does nothing.
func (o *Outbox) Publisher(tx *sql.Tx) message.Publisher { return o.inner.Publisher(tx) }

// Committed wakes the relay after a commit of the caller's own transaction. Without it the relay finds the
// messages when it polls.
func (o *Outbox) Committed() { o.inner.Committed() }

// Drain implements outbox.Outbox. Drains of one Outbox take turns; writers never wait for publish. When
// ctx ends after the broker's acknowledgement the messages are deleted all the same, within ten seconds.
func (o *Outbox) Drain(ctx context.Context, limit int, except []string, publish outbox.PublishFunc) (int, error) {
	return o.inner.Drain(ctx, limit, except, publish)
}

// Wake implements outbox.Outbox.
func (o *Outbox) Wake() <-chan struct{} { return o.inner.Wake() }

// Backlog implements outbox.Operations. Up to ten thousand messages are counted; beyond that their number
// is estimated by their ids, from above. Parked ones are counted up to ten thousand.
func (o *Outbox) Backlog(ctx context.Context) (outbox.Backlog, error) { return o.inner.Backlog(ctx) }

// Parked implements outbox.Operations.
func (o *Outbox) Parked(ctx context.Context, after string, limit int) ([]outbox.ParkedMessage, error) {
	return o.inner.Parked(ctx, after, limit)
}

// Unpark implements outbox.Operations, in one transaction.
func (o *Outbox) Unpark(ctx context.Context, ids ...string) (int, error) {
	return o.inner.Unpark(ctx, ids...)
}

// Discard implements outbox.Operations, in one transaction.
func (o *Outbox) Discard(ctx context.Context, ids ...string) (int, error) {
	return o.inner.Discard(ctx, ids...)
}
