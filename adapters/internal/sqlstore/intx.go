package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// InTx runs body in a transaction of the session's isolation level, commits it and wakes the relay. Messages that body
// adds to the outbox are published if and only if the transaction commits.
//
// If body returns an error, InTx rolls back and returns that error as it is. InTx does not retry, since body may do more
// than change the database. When the connection is lost during the commit the error wraps cqrsfeed.ErrUnknownOutcome.
//
// body must use tx for everything it does in the database. Anything else of the store waits for its own connection, and on
// SQLite for body itself.
func (s *Store) InTx(ctx context.Context, body func(tx *sql.Tx) error) error {
	own, err := s.database.inTx(ctx, body)
	if err == nil || errors.Is(err, cqrsfeed.ErrUnknownOutcome) {
		s.outbox.Committed()
	}
	if own || err == nil {
		return err
	}
	return fmt.Errorf("%s: transaction: %w", s.database.dialect.Name, err)
}

// inTx runs body in a *sql.Tx and commits it. It reports whether the error is body's own.
func (d *Database) inTx(ctx context.Context, body func(tx *sql.Tx) error) (own bool, err error) {
	conn, leave, err := d.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // also after a panic of body; it does nothing after a commit
	if err := body(tx); err != nil {
		return true, err
	}
	return false, d.commitTx(ctx, conn, tx)
}

func (d *Database) commitTx(ctx context.Context, conn *sql.Conn, tx *sql.Tx) error {
	err := tx.Commit()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && (errors.Is(err, sql.ErrTxDone) || errors.Is(err, ctx.Err())):
		return ctx.Err() // database/sql has rolled back
	case errors.Is(err, sql.ErrTxDone):
		return fmt.Errorf("commit: %w: the function given to InTx must not commit or roll back itself", err)
	}
	d.rollback(ctx, conn) // a failed COMMIT can leave the transaction open
	if d.dialect.ClassifyCommit(err) == Lost {
		return fmt.Errorf("commit: %w: %w", cqrsfeed.ErrUnknownOutcome, err)
	}
	return fmt.Errorf("commit: %w", err)
}
