package sqlstore

import (
	"context"
	"database/sql"
)

// Dialect is what one kind of database does differently from another.
type Dialect struct {
	// Name stands in front of errors: it is the package that the application called.
	Name string
	// Quote quotes a valid table name.
	Quote func(table string) string
	// BeginChange is executed to begin a transaction that changes something.
	BeginChange []string
	// BeginDrain is executed to begin a transaction that takes messages out of an outbox's tables, which
	// must lock no more than those. It is BeginChange where it is empty.
	BeginDrain []string
	// BeginShared is executed to begin a transaction that several callers share. It has to see rows that others have
	// inserted and not committed. It is BeginChange where it is empty, which keeps all other writers out then.
	BeginShared []string
	// LockRow ends a SELECT that must keep a row from being changed by others until the commit. It is
	// empty where BeginChange keeps all other writers out.
	LockRow string
	// SkipLocked ends a SELECT that locks its rows and passes over those that others locked. It is empty
	// where the database has no such thing: messages are then read and published without locks, with no
	// transaction open, and deleted in one of their own; relays on the same Outbox take turns.
	SkipLocked string
	// DeleteIDs is the statement that deletes the rows with the ids, a list of integers separated by
	// commas, without touching any other row.
	DeleteIDs func(table, ids string) string
	// OneWriter says that the database lets one transaction write at a time. Those of this process then
	// queue for their turn here, in order, instead of asking the database again and again.
	OneWriter bool
	// CommitAgain says that a COMMIT judged as Again has left its transaction open and can be repeated.
	CommitAgain bool
	// Classify judges an error of any statement but COMMIT.
	Classify func(err error) Verdict
	// ClassifyCommit judges an error of COMMIT.
	ClassifyCommit func(err error) Verdict
	// NoTransaction says of an error of ROLLBACK that there was nothing left to roll back.
	NoTransaction func(err error) bool
	// CheckConnection, where there is one, says whether a connection can carry what the stores put through it.
	// It is asked before a table is made sure of.
	CheckConnection func(ctx context.Context, db *sql.DB) error
	// ItemsSchema, OutboxSchema and ParkedSchema are the statements that create a table unless it exists;
	// they get its quoted name. Tables of earlier versions have to stay usable: see Table.
	ItemsSchema, OutboxSchema, ParkedSchema func(table string) []string
}

// beginShared has the default.
func (d Dialect) beginShared() []string {
	if len(d.BeginShared) == 0 {
		return d.BeginChange
	}
	return d.BeginShared
}

// creationsAtOnce is how many transactions create items beside each other.
func (d Dialect) creationsAtOnce() int {
	if d.OneWriter {
		return 1
	}
	return 4
}

// beginDrain has the default.
func (d Dialect) beginDrain() []string {
	if len(d.BeginDrain) == 0 {
		return d.BeginChange
	}
	return d.BeginDrain
}

// Verdict is what an error means for the transaction that it occurred in.
type Verdict int

const (
	// Permanent errors would come again: the transaction has failed.
	Permanent Verdict = iota
	// Duplicate means that a key is taken.
	Duplicate
	// Again means that nothing was committed and that the same transaction may well succeed when it is
	// tried again: deadlocks, lock timeouts, a busy database.
	Again
	// Lost means that the connection is gone. Before a commit that is as good as Again; of a commit it
	// leaves the outcome unknown.
	Lost
)
