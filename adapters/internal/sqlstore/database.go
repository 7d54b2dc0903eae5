package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// A commit that was begun is waited for although the caller's context ended, because giving up would only
// leave its outcome unknown. These bound the wait.
const (
	commitTimeout   = 10 * time.Second
	rollbackTimeout = 5 * time.Second
)

// Database runs transactions on a *sql.DB in the manner of a dialect.
type Database struct {
	db      *sql.DB
	dialect Dialect
	gate    gate
}

func newDatabase(db *sql.DB, dialect Dialect) *Database {
	d := &Database{db: db, dialect: dialect}
	if dialect.OneWriter {
		d.gate = make(gate, 1)
	}
	return d
}

// DB returns the pool, for reads outside of transactions.
func (d *Database) DB() *sql.DB { return d.db }

// Change runs body in a transaction that may write, as often as it takes until it commits: body must not
// keep anything from a try that failed. What body marked with Stop, and what would fail again, ends it.
//
// It does not use *sql.Tx because that can neither begin in a way of the dialect's own nor bound a COMMIT
// whose answer does not come.
func (d *Database) Change(ctx context.Context, body func(tx *sql.Conn) error) error {
	return d.change(ctx, d.dialect.BeginChange, body)
}

func (d *Database) change(ctx context.Context, begin []string, body func(tx *sql.Conn) error) error {
	return d.Retry(ctx, func() error {
		leave, err := d.gate.enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
		return d.transact(ctx, begin, body)
	})
}

// transact makes one try.
func (d *Database) transact(ctx context.Context, begin []string, body func(tx *sql.Conn) error) error {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	return d.transactOn(ctx, conn, begin, body)
}

// transactOn makes one try on a connection.
func (d *Database) transactOn(ctx context.Context, conn *sql.Conn, begin []string, body func(tx *sql.Conn) error) error {
	committed := false
	defer func() { // also after a panic of body
		if !committed {
			d.rollback(ctx, conn)
		}
	}()
	for _, statement := range begin {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
	}
	if err := body(conn); err != nil {
		return err
	}
	if err := d.commit(ctx, conn); err != nil {
		return err
	}
	committed = true
	return nil
}

func (d *Database) commit(ctx context.Context, conn *sql.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	err := d.sendCommit(ctx, conn)
	switch {
	case err == nil:
		return nil
	case d.dialect.ClassifyCommit(err) == Lost:
		return Stop(fmt.Errorf("commit: %w: %w", cqrsfeed.ErrUnknownOutcome, err))
	default:
		return fmt.Errorf("commit: %w", err)
	}
}

// sendCommit repeats a COMMIT that was refused because others were reading, where it leaves the transaction
// open and keeps new readers out.
func (d *Database) sendCommit(ctx context.Context, conn *sql.Conn) error {
	try := func() error {
		_, err := conn.ExecContext(ctx, "COMMIT")
		return err
	}
	if d.dialect.CommitAgain {
		return d.Retry(ctx, try)
	}
	return try()
}

// rollback needs no error of its own: the caller has the one that led here. A connection whose state is not
// known must not serve anybody else, though.
func (d *Database) rollback(ctx context.Context, conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, err := conn.ExecContext(ctx, "ROLLBACK")
	if err == nil || errors.Is(err, sql.ErrConnDone) || d.dialect.NoTransaction(err) {
		return
	}
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // this is how database/sql is told to close it
}
