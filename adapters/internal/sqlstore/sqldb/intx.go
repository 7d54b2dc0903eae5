package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// InTx runs body in a *sql.Tx and commits it. It reports whether the error is body's own.
func (d *Database) InTx(ctx context.Context, body func(tx *sql.Tx) error) (own bool, err error) {
	conn, leave, err := d.Enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	tx, err := conn.Conn.BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("begin: %w", err)
	}
	defer func() { // also after a panic of body
		_ = tx.Rollback() // it does nothing after a commit
		d.dropDemoted(conn, err)
	}()
	if err = d.lock(ctx, tx); err != nil {
		return false, fmt.Errorf("begin: %w", err)
	}
	if err = body(tx); err != nil {
		return true, err
	}
	return false, d.commitTx(ctx, conn, tx)
}

func (d *Database) lock(ctx context.Context, tx *sql.Tx) error {
	if d.lockInTx == "" {
		return nil
	}
	return d.Retry(ctx, func() error {
		_, err := tx.ExecContext(ctx, d.lockInTx)
		return err
	})
}

func (d *Database) commitTx(ctx context.Context, conn *Conn, tx *sql.Tx) error {
	err := tx.Commit()
	switch {
	case err == nil:
		d.committed(ctx, conn)
		return nil
	case ctx.Err() != nil && (errors.Is(err, sql.ErrTxDone) || errors.Is(err, ctx.Err())):
		return ctx.Err() // database/sql has rolled back
	case errors.Is(err, sql.ErrTxDone):
		return fmt.Errorf("commit: %w: the function given to InTx must not commit or roll back itself", err)
	}
	d.rollback(ctx, conn) // a failed COMMIT can leave the transaction open
	if d.Dialect.ClassifyCommit(err) == Lost {
		return fmt.Errorf("commit: %w: %w", cqrsfeed.ErrUnknownOutcome, err)
	}
	return fmt.Errorf("commit: %w", err)
}
