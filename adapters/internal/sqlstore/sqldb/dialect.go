package sqldb

import (
	"context"
	"database/sql"
)

// ItemColumns are the columns of the tables of Dialect.ItemsSchema, and NewItem is a row of them in an INSERT.
const (
	ItemColumns = "id, version, body, created_at, updated_at, deleted"
	NewItem     = "(?, ?, ?, ?, ?, ?)"
)

// Dialect describes the differences between kinds of databases.
type Dialect struct {
	// Name begins all errors. It is the name of the package that applications import.
	Name string
	// Bind replaces each ? of a statement by a placeholder of the driver. Optional.
	Bind func(query string) string
	// Quote quotes a valid table name.
	Quote func(table string) string
	// BeginChange begins a transaction that changes something.
	BeginChange []string
	// BeginDrain begins a transaction that takes messages out of an outbox's tables. It must lock no other rows.
	// Defaults to BeginChange.
	BeginDrain []string
	// BeginShared begins a transaction that several callers share. It must see rows that others have inserted and not
	// committed. Defaults to BeginChange, which must then exclude all other writers.
	BeginShared []string
	// LockRow ends a SELECT that locks its row against changes by others until the commit. It is empty if BeginChange
	// excludes all other writers.
	LockRow string
	// SkipLocked ends a SELECT that locks its rows and skips rows that others have locked. It is empty if the database
	// cannot do that. Messages are then read and published without locks and outside a transaction, and deleted in a
	// transaction of their own. Relays on the same Outbox take turns.
	SkipLocked string
	// KeepsDeletedRows reports that reads pass through deleted rows for as long as an older snapshot is open.
	KeepsDeletedRows bool
	// ByID and ByTopic follow the name of an outbox's table in a SELECT of a range of ids, or of the ids of a topic.
	// They keep the database from choosing another index.
	ByID, ByTopic string
	// Unprepared are arguments before those of a query that the driver must not prepare, because its text is not used
	// again or because a plan for other values would be bad. Optional.
	Unprepared []any
	// PayloadHas is the condition that the payload of a message has some bytes, with a placeholder for these. Defaults
	// to INSTR.
	PayloadHas string
	// ReturningID reports that an INSERT tells the id that the database chose by RETURNING, not by LastInsertId.
	ReturningID bool
	// TakenPlaces returns a query for the ids of a list that new rows of a queue must not have, each twice in a row. %s
	// stands for the list. Defaults to the ids that rows have.
	TakenPlaces func(queue string) string
	// DeleteIDs returns the statement that deletes the rows with the ids, a list of integers separated by commas,
	// without touching any other row.
	DeleteIDs func(table, ids string) string
	// OneWriter reports that the database allows one writing transaction at a time. The writers of this process then
	// wait for their turn in order, instead of polling the database.
	OneWriter bool
	// CommitAgain reports that a COMMIT with the verdict Again has left its transaction open and can be repeated.
	CommitAgain bool
	// Classify returns the verdict on an error of any statement except COMMIT.
	Classify func(err error) Verdict
	// ClassifyCommit returns the verdict on an error of COMMIT.
	ClassifyCommit func(err error) Verdict
	// NoTransaction reports whether an error of ROLLBACK means that no transaction was open.
	NoTransaction func(err error) bool
	// Close closes a connection of the driver that is not to be used again, if a pool behind database/sql would keep it.
	// Optional.
	Close func(conn any)
	// Committed is called with the connection after each commit, while other writers wait if OneWriter. Optional.
	Committed func(ctx context.Context, conn *sql.Conn)
	// LockInTx returns a statement on an existing table that InTx executes first. Optional.
	LockInTx func(table string) string
	// CheckConnection returns an error if connections cannot carry the stores' statements. largest is the approximate
	// size of the largest statement in bytes. EnsureSchema calls it. Optional.
	CheckConnection func(ctx context.Context, db *sql.DB, largest int) error
	// CheckTable returns an error if an existing table would not store the values of the columns unchanged. columns are
	// separated by commas. EnsureSchema calls it. Optional.
	CheckTable func(ctx context.Context, db *sql.DB, table, columns string) error
	// BeforeSchema begins each statement that creates or changes a table. Optional.
	BeforeSchema string
	// ItemsSchema, OutboxSchema and ParkedSchema return the statements that create a table with the quoted name if it
	// does not exist. They must keep tables of earlier versions usable: see Table.
	ItemsSchema, OutboxSchema, ParkedSchema func(table string) []string
}

func (d *Dialect) bind(query string) string {
	if d.Bind == nil {
		return query
	}
	return d.Bind(query)
}

func (d *Dialect) setDefaults() {
	if d.TakenPlaces == nil {
		d.TakenPlaces = func(queue string) string { return "SELECT id, id FROM " + queue + d.ByID + " WHERE id IN (%s)" }
	}
	if d.PayloadHas == "" {
		d.PayloadHas = "INSTR(payload, ?) > 0"
	}
	if len(d.BeginDrain) == 0 {
		d.BeginDrain = d.BeginChange
	}
	if len(d.BeginShared) == 0 {
		d.BeginShared = d.BeginChange
	}
}

// Verdict is the meaning of an error for the transaction in which it occurred.
type Verdict int

const (
	// Permanent means that the transaction has failed and would fail again.
	Permanent Verdict = iota
	// Duplicate means that a key is taken.
	Duplicate
	// Again means that nothing was committed and that a new try of the same transaction may succeed: a deadlock, a lock
	// timeout, a busy database.
	Again
	// Lost means that the connection was lost. Before a commit that is the same as Again. During a commit the outcome
	// is unknown.
	Lost
	// Demoted means that the server accepts no writes any more, as after a failover. Nothing was committed. The
	// connection is closed, and the same transaction may succeed on another.
	Demoted
)
