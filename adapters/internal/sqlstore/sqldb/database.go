package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// The answer to a COMMIT is waited for even if the caller's context has ended, because giving up would leave the
// outcome unknown. These constants limit the wait.
const (
	commitTimeout   = 10 * time.Second
	rollbackTimeout = 5 * time.Second
)

// Database runs transactions on a *sql.DB in the way of its dialect.
type Database struct {
	DB      DB // for reads outside transactions
	Dialect *Dialect
	gate    Gate // only where one transaction writes at a time
	// lockInTx is the statement by which transactions of database/sql take the writer's lock, or "".
	lockInTx string
}

// New returns a database. locked is the name of a table on which InTx takes the writer's lock.
func New(db *sql.DB, dialect Dialect, locked string) *Database {
	dialect.setDefaults()
	d := &Database{DB: DB{Statements{db, &dialect}, db}, Dialect: &dialect}
	if dialect.OneWriter {
		d.gate = make(Gate, 1)
	}
	if dialect.LockInTx != nil {
		d.lockInTx = dialect.LockInTx(dialect.Quote(locked))
	}
	return d
}

// Change runs body in a transaction that may write. It tries again after temporary errors, so body must reset the
// results of a failed try. An error that body marks with Stop is final.
//
// It does not use *sql.Tx, which can neither begin in a dialect's own way nor limit the wait for a COMMIT.
func (d *Database) Change(ctx context.Context, body func(tx *Conn) error) error {
	return d.Begin(ctx, d.Dialect.BeginChange, body)
}

// Begin is Change for a transaction that begins with the given statements.
func (d *Database) Begin(ctx context.Context, begin []string, body func(tx *Conn) error) error {
	return d.Retry(ctx, func() error { return d.Transact(ctx, begin, body) })
}

// Transact makes one try, on a connection of its own.
func (d *Database) Transact(ctx context.Context, begin []string, body func(tx *Conn) error) error {
	conn, leave, err := d.Enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return d.TransactOn(ctx, conn, begin, body)
}

// Exec executes one statement that is a transaction of its own. It tries again after temporary errors, so the statement may
// take effect twice.
func (d *Database) Exec(ctx context.Context, query string, args ...any) (affected int64, err error) {
	err = d.Retry(ctx, func() error {
		conn, leave, err := d.Enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
		result, err := conn.ExecContext(ctx, query, args...)
		if err != nil {
			d.dropDemoted(conn, err)
			return err
		}
		affected, err = result.RowsAffected()
		return err
	})
	return affected, err
}

// Enter waits for the caller's turn to write and for a connection.
func (d *Database) Enter(ctx context.Context) (_ *Conn, leave func(), err error) {
	leaveGate, err := d.gate.Enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	conn, err := d.DB.DB.Conn(ctx)
	if err != nil {
		leaveGate()
		return nil, nil, fmt.Errorf("connect: %w", err)
	}
	return &Conn{Statements{conn, d.Dialect}, conn}, func() {
		_ = conn.Close()
		leaveGate()
	}, nil
}

// TransactOn makes one try on a given connection.
func (d *Database) TransactOn(ctx context.Context, conn *Conn, begin []string, body func(tx *Conn) error) (err error) {
	committed := false
	defer func() { // also after a panic of body
		if !committed {
			d.rollback(ctx, conn)
			d.dropDemoted(conn, err)
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

func (d *Database) commit(ctx context.Context, conn *Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	err := d.sendCommit(ctx, conn)
	switch {
	case err == nil:
		d.committed(ctx, conn)
		return nil
	case d.Dialect.ClassifyCommit(err) == Lost:
		return Stop(fmt.Errorf("commit: %w: %w", cqrsfeed.ErrUnknownOutcome, err))
	default:
		return fmt.Errorf("commit: %w", err)
	}
}

func (d *Database) committed(ctx context.Context, conn *Conn) {
	if d.Dialect.Committed != nil {
		d.Dialect.Committed(ctx, conn.Conn)
	}
}

// sendCommit sends a COMMIT. It repeats one that was refused because of readers, if the dialect keeps the transaction
// open and new readers out.
func (d *Database) sendCommit(ctx context.Context, conn *Conn) error {
	try := func() error {
		_, err := conn.ExecContext(ctx, "COMMIT")
		return err
	}
	if d.Dialect.CommitAgain {
		return d.Retry(ctx, try)
	}
	return try()
}

// rollback returns no error: the caller has the error that led to it. It closes a connection that may still be inside
// its transaction.
func (d *Database) rollback(ctx context.Context, conn *Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, err := conn.ExecContext(ctx, "ROLLBACK")
	if err == nil || errors.Is(err, sql.ErrConnDone) || d.Dialect.NoTransaction(err) {
		return
	}
	d.drop(conn)
}

// dropDemoted closes a connection whose server has reported that it accepts no writes any more. The pool would keep it,
// because it still works.
func (d *Database) dropDemoted(conn *Conn, err error) {
	if err != nil && d.Dialect.Classify(err) == Demoted {
		d.drop(conn)
	}
}

// drop makes database/sql close a connection.
func (d *Database) drop(conn *Conn) {
	_ = conn.Conn.Raw(func(conn any) error {
		if d.Dialect.Close != nil {
			d.Dialect.Close(conn)
		}
		return driver.ErrBadConn
	})
}
