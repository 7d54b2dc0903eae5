package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// One INSERT takes at most this much, which keeps far from the databases' limits on parameters and packets.
const (
	maxInsertMessages = 500
	maxInsertBytes    = 1 << 20
)

// parkedSuffix makes the name of the table of parked messages out of the queue's.
const parkedSuffix = "_parked"

// Outbox is a table of messages that wait for a relay, and one of those that the broker refused.
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

// NewOutbox starts nothing and asks the database for nothing.
func NewOutbox(db *sql.DB, dialect Dialect, config OutboxConfig) (*Outbox, error) {
	config.SetDefaults()
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("%s: outbox config: %w", dialect.Name, err)
	}
	database, err := NewDatabase(db, dialect)
	if err != nil {
		return nil, err
	}
	table, parked := dialect.Quote(config.Table), dialect.Quote(config.Table+parkedSuffix)
	o := &Outbox{
		database: database,
		table:    config.Table,
		insert:   "INSERT INTO " + table + " (uuid, topic, metadata, payload, created_at) VALUES ",
		take:     newTakeStatements(table, dialect),
		parked:   newParkedStatements(table, parked, dialect),
		backlog:  newBacklogStatements(table, parked),
		wake:     make(chan struct{}, 1),
	}
	if dialect.SkipLocked == "" {
		o.draining = make(gate, 1)
	}
	return o, nil
}

// EnsureSchema creates the tables unless they exist.
func (o *Outbox) EnsureSchema(ctx context.Context) error {
	dialect, parked := o.database.dialect, o.table+parkedSuffix
	if err := o.database.EnsureTable(ctx, o.table, dialect.OutboxSchema(dialect.Quote(o.table)), messageColumns); err != nil {
		return err
	}
	return o.database.EnsureTable(ctx, parked, dialect.ParkedSchema(dialect.Quote(parked)), parkedColumns)
}

// wrap says what was being done to which outbox.
func (o *Outbox) wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s outbox %s: %w", o.database.dialect.Name, operation, o.table, err)
}

// Execer is a transaction of either kind: *sql.Tx or *sql.Conn.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Add puts messages into the outbox as part of a transaction. Those that carry no trace get that of ctx.
func (o *Outbox) Add(ctx context.Context, tx Execer, topic string, msgs ...*message.Message) error {
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
		n := insertLength(rows)
		if err := o.insertRows(ctx, tx, rows[:n], now); err != nil {
			return fmt.Errorf("%s: add %d messages to outbox %s: %w", o.database.dialect.Name, len(msgs), o.table, err)
		}
		rows = rows[n:]
	}
	return nil
}

// insertLength says how many of the rows go into one INSERT: at least one.
func insertLength(rows []row) int {
	size := 0
	for n, row := range rows {
		size += len(row.payload) + len(row.metadata)
		if n == maxInsertMessages || n > 0 && size > maxInsertBytes {
			return n
		}
	}
	return len(rows)
}

func (o *Outbox) insertRows(ctx context.Context, tx Execer, rows []row, now int64) error {
	values := strings.Repeat(", (?, ?, ?, ?, ?)", len(rows))[len(", "):]
	var args []any
	for _, row := range rows {
		args = append(args, row.uuid, row.topic, row.metadata, row.payload, now)
	}
	_, err := tx.ExecContext(ctx, o.insert+values, args...)
	return err
}

// Committed wakes the relay.
func (o *Outbox) Committed() {
	select {
	case o.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Wake implements outbox.Outbox.
func (o *Outbox) Wake() <-chan struct{} { return o.wake }
