package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// One INSERT takes at most this much, far below the databases' limits on parameters and packets.
const (
	maxInsertRows  = 500
	maxInsertBytes = 1 << 20
)

// parkedSuffix makes the name of the table of parked messages out of the queue's.
const parkedSuffix = "_parked"

// Outbox holds messages that wait for a relay in one table, and parked ones in another. A repository adds its events. An
// application with tables of its own adds messages in its own transactions; they are published if and only if the
// transaction commits. It implements outbox.Outbox and outbox.Operations, and is safe for concurrent use.
type Outbox struct {
	database *Database
	table    string
	insert   string
	take     takeStatements
	parked   parkedStatements
	backlog  backlogStatements
	wake     chan struct{}
	draining gate // only where rows cannot be locked
}

var (
	_ outbox.Outbox     = (*Outbox)(nil)
	_ outbox.Operations = (*Outbox)(nil)
)

func newOutbox(database *Database, name string) *Outbox {
	dialect := database.dialect
	table, parked := dialect.Quote(name), dialect.Quote(name+parkedSuffix)
	o := &Outbox{
		database: database,
		table:    name,
		insert:   "INSERT INTO " + table + " (uuid, topic, metadata, payload, created_at) VALUES ",
		take:     newTakeStatements(table, dialect),
		parked:   newParkedStatements(table, parked, dialect),
		backlog:  newBacklogStatements(table, parked),
		wake:     make(chan struct{}, 1),
	}
	if dialect.SkipLocked == "" {
		o.draining = make(gate, 1)
	}
	return o
}

// tables returns the outbox's part of the schema.
func (o *Outbox) tables() []Table {
	dialect, parked := o.database.dialect, o.table+parkedSuffix
	return []Table{
		{Name: o.table, Columns: messageColumns, Schema: dialect.OutboxSchema(dialect.Quote(o.table))},
		{Name: parked, Columns: parkedColumns, Schema: dialect.ParkedSchema(dialect.Quote(parked))},
	}
}

// wrap adds what was being done to which outbox.
func (o *Outbox) wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s outbox %s: %w", o.database.dialect.Name, operation, o.table, err)
}

// Add puts messages for the topic into the outbox, in their order, as part of tx, which must be on the store's database.
// Topics, UUIDs and metadata must be valid UTF-8, the first two of at most 255 bytes; Add refuses others with
// cqrsfeed.ErrInvalid. Messages that carry no trace get that of ctx into their metadata (driver.InjectTrace). Store.InTx
// wakes the relay after the commit; call Committed after one of your own.
func (o *Outbox) Add(ctx context.Context, tx *sql.Tx, topic string, msgs ...*message.Message) error {
	return o.add(ctx, tx, topic, msgs...)
}

// execer is a transaction of either kind: *sql.Tx or *sql.Conn.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (o *Outbox) add(ctx context.Context, tx execer, topic string, msgs ...*message.Message) error {
	rows := make([]row, 0, len(msgs))
	for _, msg := range msgs {
		if msg != nil {
			driver.InjectTrace(ctx, msg)
		}
		row, err := encodeRow(topic, msg)
		if err != nil {
			return fmt.Errorf("%s: add to outbox %s: %w", o.database.dialect.Name, o.table, err)
		}
		rows = append(rows, row)
	}
	now := time.Now().UnixMicro()
	for len(rows) > 0 {
		n := insertLength(len(rows), func(i int) int { return len(rows[i].payload) + len(rows[i].metadata) })
		if err := o.insertRows(ctx, tx, rows[:n], now); err != nil {
			return fmt.Errorf("%s: add %d messages to outbox %s: %w", o.database.dialect.Name, len(msgs), o.table, err)
		}
		rows = rows[n:]
	}
	return nil
}

// insertLength returns how many of the rows one INSERT takes: at least one.
func insertLength(rows int, size func(i int) int) int {
	total := 0
	for i := range rows {
		total += size(i)
		if i == maxInsertRows || i > 0 && total > maxInsertBytes {
			return i
		}
	}
	return rows
}

// commas returns the text n times, with commas in between.
func commas(text string, n int) string { return strings.TrimSuffix(strings.Repeat(text+", ", n), ", ") }

func (o *Outbox) insertRows(ctx context.Context, tx execer, rows []row, now int64) error {
	var args []any
	for _, row := range rows {
		args = append(args, row.uuid, row.topic, row.metadata, row.payload, now)
	}
	_, err := tx.ExecContext(ctx, o.insert+commas("(?, ?, ?, ?, ?)", len(rows)), args...)
	return err
}

// Committed wakes the relay. Store.InTx calls it; call it yourself after the commit of a transaction of your own, also
// after a commit that failed, since its messages may be there. Without it the relay finds the messages when it polls.
func (o *Outbox) Committed() {
	select {
	case o.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Wake implements outbox.Outbox.
func (o *Outbox) Wake() <-chan struct{} { return o.wake }
