package sqlstore

import (
	"context"
	"database/sql"
)

// Dialect is what one kind of database does differently from another.
type Dialect struct {
	// Name begins all errors. It is the name of the package that the application imports.
	Name string
	// Quote quotes a valid table name.
	Quote func(table string) string
	// BeginChange begins a transaction that changes something.
	BeginChange []string
	// BeginDrain begins a transaction that takes messages out of an outbox's tables. It must not lock other rows.
	// Defaults to BeginChange.
	BeginDrain []string
	// BeginShared begins a transaction that several callers share. It must see rows that others have inserted and not
	// committed. Defaults to BeginChange, which must then keep all other writers out.
	BeginShared []string
	// LockRow ends a SELECT that keeps its row from being changed by others until the commit. It is empty where
	// BeginChange keeps all other writers out.
	LockRow string
	// SkipLocked ends a SELECT that locks its rows and skips those that others have locked. It is empty where the
	// database cannot do that: messages are then read and published without locks, with no transaction open, and deleted
	// in one of their own. Relays on the same Outbox take turns.
	SkipLocked string
	// DeleteIDs returns the statement that deletes the rows with the ids, a list of integers separated by commas,
	// without touching any other row.
	DeleteIDs func(table, ids string) string
	// OneWriter reports that the database lets one transaction write at a time. Those of this process then wait for
	// their turn here, in order, instead of asking the database again and again.
	OneWriter bool
	// CommitAgain reports that a COMMIT judged as Again has left its transaction open and can be repeated.
	CommitAgain bool
	// Classify judges an error of any statement but COMMIT.
	Classify func(err error) Verdict
	// ClassifyCommit judges an error of COMMIT.
	ClassifyCommit func(err error) Verdict
	// NoTransaction reports whether an error of ROLLBACK means that there was nothing left to roll back.
	NoTransaction func(err error) bool
	// CheckConnection returns an error if connections cannot carry what the stores send. EnsureSchema calls it.
	// Optional.
	CheckConnection func(ctx context.Context, db *sql.DB) error
	// ItemsSchema, OutboxSchema and ParkedSchema return the statements that create a table with the quoted name unless it
	// exists. They must keep tables of earlier versions usable: see Table.
	ItemsSchema, OutboxSchema, ParkedSchema func(table string) []string
}

func (d Dialect) beginShared() []string {
	if len(d.BeginShared) == 0 {
		return d.BeginChange
	}
	return d.BeginShared
}

func (d Dialect) beginDrain() []string {
	if len(d.BeginDrain) == 0 {
		return d.BeginChange
	}
	return d.BeginDrain
}

// creationsAtOnce returns how many transactions create items beside each other.
func (d Dialect) creationsAtOnce() int {
	if d.OneWriter {
		return 1
	}
	return 4
}

// Verdict is what an error means for the transaction in which it occurred.
type Verdict int

const (
	// Permanent means that the transaction has failed and would fail again.
	Permanent Verdict = iota
	// Duplicate means that a key is taken.
	Duplicate
	// Again means that nothing was committed and that the same transaction may succeed when it is tried again: a deadlock,
	// a lock timeout, a busy database.
	Again
	// Lost means that the connection is gone. Before a commit that is the same as Again. During a commit it leaves the
	// outcome unknown.
	Lost
)
