package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// inTx runs body in a *sql.Tx and commits it.
func (d *Database) inTx(ctx context.Context, body func(tx *sql.Tx) error) error {
	leave, err := d.gate.enter(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", d.dialect.Name, err)
	}
	defer leave()
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%s: connect: %w", d.dialect.Name, err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: begin: %w", d.dialect.Name, err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing; also after a panic of body
	if err := body(tx); err != nil {
		return err
	}
	if err := d.commitTx(ctx, conn, tx); err != nil {
		return fmt.Errorf("%s: commit: %w", d.dialect.Name, err)
	}
	return nil
}

func (d *Database) commitTx(ctx context.Context, conn *sql.Conn, tx *sql.Tx) error {
	err := tx.Commit()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && (errors.Is(err, sql.ErrTxDone) || errors.Is(err, ctx.Err())):
		return ctx.Err() // database/sql rolled back instead
	case errors.Is(err, sql.ErrTxDone):
		return fmt.Errorf("%w: the function that was given to InTx must neither commit nor roll back", err)
	}
	d.rollback(ctx, conn) // a failed COMMIT may leave the transaction open
	if d.dialect.ClassifyCommit(err) == Lost {
		return fmt.Errorf("%w: %w", cqrsfeed.ErrUnknownOutcome, err)
	}
	return err
}
