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

// A COMMIT that was sent is waited for although the caller's context ended, because giving up would only leave its outcome
// unknown. These bound the wait.
const (
	commitTimeout   = 10 * time.Second
	rollbackTimeout = 5 * time.Second
)

// Database runs transactions on a *sql.DB as its dialect needs them.
type Database struct {
	db      *sql.DB
	dialect Dialect
	gate    gate // only where one transaction writes at a time
}

func newDatabase(db *sql.DB, dialect Dialect) *Database {
	d := &Database{db: db, dialect: dialect}
	if dialect.OneWriter {
		d.gate = make(gate, 1)
	}
	return d
}

// DB returns the pool, for reads outside transactions.
func (d *Database) DB() *sql.DB { return d.db }

// Change runs body in a transaction that may write. It tries again after errors that may pass, so body must keep nothing
// from a try that failed. An error that body marks with Stop is final.
//
// It does not use *sql.Tx because that can neither begin in a dialect's own way nor bound a COMMIT that is not answered.
func (d *Database) Change(ctx context.Context, body func(tx *sql.Conn) error) error {
	return d.change(ctx, d.dialect.BeginChange, body)
}

func (d *Database) change(ctx context.Context, begin []string, body func(tx *sql.Conn) error) error {
	return d.Retry(ctx, func() error { return d.transact(ctx, begin, body) })
}

// transact makes one try.
func (d *Database) transact(ctx context.Context, begin []string, body func(tx *sql.Conn) error) error {
	conn, leave, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return d.transactOn(ctx, conn, begin, body)
}

// enter waits for the caller's turn to write and for a connection.
func (d *Database) enter(ctx context.Context) (conn *sql.Conn, leave func(), err error) {
	leaveGate, err := d.gate.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	conn, err = d.db.Conn(ctx)
	if err != nil {
		leaveGate()
		return nil, nil, fmt.Errorf("connect: %w", err)
	}
	return conn, func() {
		_ = conn.Close()
		leaveGate()
	}, nil
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

// sendCommit repeats a COMMIT that was refused because others were reading, where it leaves the transaction open and keeps
// new readers out.
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

// rollback returns no error: the caller has the one that led here. It closes a connection that may still be inside its
// transaction.
func (d *Database) rollback(ctx context.Context, conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, err := conn.ExecContext(ctx, "ROLLBACK")
	if err == nil || errors.Is(err, sql.ErrConnDone) || d.dialect.NoTransaction(err) {
		return
	}
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // this makes database/sql close it
}
