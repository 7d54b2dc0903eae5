// Package outbox implements outbox.Outbox in two tables of an SQL database.
//
// Functions that take an Outbox are for package repository and the Store. They are not methods, because applications
// would see those.
package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// parkedSuffix is what the name of the table of parked messages has after the queue's name.
const parkedSuffix = "_parked"

// The table with this suffix has one row: how often parked messages have returned. See marks.
const (
	returnsSuffix    = "_returns"
	generationColumn = "generation"
	returnsColumns   = "id, " + generationColumn
)

// Outbox stores messages that wait for a relay in one table, and parked ones in another. A repository adds its events.
// An application with tables of its own adds messages in its own transactions: they are published if and only if the
// transaction commits. It implements outbox.Outbox and is safe for concurrent use.
type Outbox struct {
	database *sqldb.Database
	table    string
	maxBytes int // of a message
	insert   string
	take     takeStatements
	order    orderStatements
	ordered  topicSet // topics whose order is kept
	parked   parkedStatements
	returns  returnStatements
	backlog  backlogStatements
	marks    *marks // of drains, only where deleted rows are kept
	counted  *marks // of Backlog
	wake     chan struct{}
	alarm    alarm
	draining sqldb.Gate // of drains and Erase, only where rows cannot be locked
}

var _ outbox.Outbox = (*Outbox)(nil)

// New returns an outbox in the table with the name. maxBytes is the maximum size of a message.
func New(database *sqldb.Database, name string, maxBytes int) *Outbox {
	dialect := database.Dialect
	table, parked, returns := dialect.Quote(name), dialect.Quote(name+parkedSuffix), dialect.Quote(name+returnsSuffix)
	o := &Outbox{
		database: database,
		table:    name,
		maxBytes: maxBytes,
		insert:   "INSERT INTO " + table + " (" + bodyColumns + ") VALUES ",
		take:     newTakeStatements(table, dialect),
		order:    newOrderStatements(table, parked, returns, dialect),
		parked:   newParkedStatements(table, parked, dialect),
		returns:  newReturnStatements(returns),
		backlog:  newBacklogStatements(table, parked, dialect),
		wake:     make(chan struct{}, 1),
	}
	if dialect.KeepsDeletedRows {
		o.marks, o.counted = &marks{topics: map[string]*mark{}}, &marks{}
	}
	if dialect.SkipLocked == "" {
		o.draining = make(sqldb.Gate, 1)
	}
	return o
}

// Tables returns the outbox's part of the schema.
func Tables(o *Outbox) []sqldb.Table {
	dialect, parked, returns := o.database.Dialect, o.table+parkedSuffix, o.table+returnsSuffix
	tables := []sqldb.Table{
		{Name: o.table, Columns: messageColumns, Schema: dialect.OutboxSchema(dialect.Quote(o.table))},
		{Name: parked, Columns: parkedColumns + ", " + placeColumn, Schema: dialect.ParkedSchema(dialect.Quote(parked))},
	}
	if o.marks == nil {
		return tables
	}
	return append(tables, sqldb.Table{Name: returns, Columns: returnsColumns, Schema: []string{
		"CREATE TABLE IF NOT EXISTS " + dialect.Quote(returns) + " (id INTEGER NOT NULL PRIMARY KEY, " + generationColumn + " BIGINT NOT NULL)",
	}})
}

// wrap adds what was being done to which outbox.
func (o *Outbox) wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s the outbox (table %s): %w", o.database.Dialect.Name, operation, o.table, err)
}

// Add adds messages for the topic to the outbox, in their order, as part of tx, which must be on the store's database.
// Topics, UUIDs and metadata must be valid UTF-8, the first two of at most 255 bytes and without NUL. Add refuses others
// with cqrsfeed.ErrInvalid. It refuses messages larger than MaxEventBytes, and those with more metadata than
// limits.MaxMetadataBytes, with cqrsfeed.ErrTooLarge. A message without a trace gets that of ctx into its metadata
// (driver.InjectTrace). Store.InTx wakes the relay after the commit. Call Committed after a commit of your own.
func (o *Outbox) Add(ctx context.Context, tx *sql.Tx, topic string, msgs ...*message.Message) error {
	return Insert(ctx, o, o.database.Tx(tx), topic, msgs...)
}

// Insert is Add for a transaction of either kind.
func Insert(ctx context.Context, o *Outbox, tx sqldb.Execer, topic string, msgs ...*message.Message) error {
	return InsertEach(ctx, o, tx, func(int) string { return topic }, msgs...)
}

// InsertEach is Insert with a topic for each message.
func InsertEach(ctx context.Context, o *Outbox, tx sqldb.Execer, topic func(i int) string, msgs ...*message.Message) error {
	rows := make([]row, 0, len(msgs))
	for i, msg := range msgs {
		if msg != nil {
			driver.InjectTrace(ctx, msg)
		}
		row, err := encodeRow(topic(i), msg)
		if err == nil {
			err = o.checkSize(row)
		}
		if err != nil {
			return o.wrap("add to", err)
		}
		rows = append(rows, row)
	}
	now := time.Now().UnixMicro()
	for len(rows) > 0 {
		n := sqldb.InsertLength(len(rows), func(i int) int { return len(rows[i].payload) + len(rows[i].metadata) })
		if err := o.insertRows(ctx, tx, rows[:n], now); err != nil {
			return o.wrap(fmt.Sprintf("add %d messages to", len(msgs)), err)
		}
		rows = rows[n:]
	}
	return nil
}

// checkSize returns ErrTooLarge for a message that no relay could publish.
func (o *Outbox) checkSize(r row) error {
	if size := len(r.metadata); size > limits.MaxMetadataBytes {
		return fmt.Errorf("%w: metadata of message %q has %d bytes, at most %d are allowed",
			cqrsfeed.ErrTooLarge, r.uuid, size, limits.MaxMetadataBytes)
	}
	if size := len(r.payload) + len(r.metadata); size > o.maxBytes {
		return fmt.Errorf("%w: message %q has %d bytes, at most %d are allowed", cqrsfeed.ErrTooLarge, r.uuid, size, o.maxBytes)
	}
	return nil
}

// LargestStatement returns the approximate size of the largest INSERT in bytes. The driver may escape every byte of it.
func LargestStatement(o *Outbox) int {
	const names = 64 << 10
	return 2*max(o.maxBytes, sqldb.MaxInsertBytes) + names
}

func (o *Outbox) insertRows(ctx context.Context, tx sqldb.Execer, rows []row, now int64) error {
	var args []any
	for _, row := range rows {
		args = append(args, row.uuid, row.topic, row.metadata, row.payload, now)
	}
	_, err := tx.ExecContext(ctx, o.insert+sqldb.Commas("(?, ?, ?, ?, ?)", len(rows)), args...)
	return err
}

// Committed wakes the relay. Store.InTx calls it. Call it yourself after committing a transaction of your own, even if
// the commit failed, because its messages may be there. Without the call the relay finds the messages when it polls.
func (o *Outbox) Committed() {
	select {
	case o.wake <- struct{}{}:
	default: // it is awake already
	}
}

// alarm is a timer that wakes the relay.
type alarm struct {
	mu    sync.Mutex
	due   time.Time // zero if none is set
	timer *time.Timer
}

// wakeAfter wakes the relay after some time. It does nothing if the relay will be woken earlier. Its next Drain sets what
// comes later again.
func (o *Outbox) wakeAfter(d time.Duration) {
	a := &o.alarm
	a.mu.Lock()
	defer a.mu.Unlock()
	due := time.Now().Add(d)
	switch {
	case a.timer == nil:
		a.timer = time.AfterFunc(d, o.ring)
	case a.due.IsZero() || due.Before(a.due):
		a.timer.Reset(d)
	default:
		return
	}
	a.due = due
}

func (o *Outbox) ring() {
	o.alarm.mu.Lock()
	o.alarm.due = time.Time{}
	o.alarm.mu.Unlock()
	o.Committed()
}

// Wake implements outbox.Outbox.
func (o *Outbox) Wake() <-chan struct{} { return o.wake }
