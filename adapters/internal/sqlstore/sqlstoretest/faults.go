// Package sqlstoretest has a store on an SQLite database whose statements can be made to fail.
package sqlstoretest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
)

// Errors that the Dialect takes for Again, Lost and Permanent.
var (
	ErrAgain = errors.New("deadlock")
	ErrLost  = errors.New("connection lost")
	ErrDisk  = errors.New("disk full")
)

// Faults decides over every statement that a test's database executes.
type Faults struct {
	Opened atomic.Int64 // connections

	mu     sync.Mutex
	decide func(statement string, execute func() error) error
}

// Open opens a database of SQLite's driver.
func (f *Faults) Open(connector driver.Connector) *sql.DB {
	return sql.OpenDB(faultyConnector{connector, f})
}

// Set makes decide answer for statements that begin with prefix.
func (f *Faults) Set(prefix string, decide func(execute func() error) error) {
	f.Decide(func(statement string, execute func() error) error {
		if strings.HasPrefix(statement, prefix) {
			return decide(execute)
		}
		return execute()
	})
}

// Decide makes decide answer for all statements.
func (f *Faults) Decide(decide func(statement string, execute func() error) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.decide = decide
}

func (f *Faults) answer(statement string, execute func() error) error {
	f.mu.Lock()
	decide := f.decide
	f.mu.Unlock()
	if decide == nil {
		return execute()
	}
	return decide(statement, execute)
}

// Times returns err for the first n calls, which execute nothing.
func Times(n int, err error) func(execute func() error) error {
	return func(execute func() error) error {
		if n == 0 {
			return execute()
		}
		n--
		return err
	}
}

type faultyConnector struct {
	driver.Connector

	faults *Faults
}

// Connect implements driver.Connector.
func (c faultyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	c.faults.Opened.Add(1)
	wrapped, ok := conn.(sqliteConn)
	if !ok {
		return nil, errors.New("the driver has no contexts")
	}
	return faultyConn{wrapped, c.faults}, nil
}

type faultyConn struct {
	sqliteConn

	faults *Faults
}

// sqliteConn is what these tests need of the driver's connection.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
}

// ExecContext implements driver.ExecerContext.
func (c faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	err = c.faults.answer(query, func() error {
		result, err = c.sqliteConn.ExecContext(ctx, query, args)
		return err
	})
	return result, err
}

// QueryContext implements driver.QueryerContext.
func (c faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = c.faults.answer(query, func() error {
		rows, err = c.sqliteConn.QueryContext(ctx, query, args)
		return err
	})
	return rows, err
}

// BeginTx implements driver.ConnBeginTx.
func (c faultyConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	tx, err := c.sqliteConn.BeginTx(ctx, options)
	return faultyTx{tx, c.faults}, err
}

// faultyTx is a transaction that database/sql began.
type faultyTx struct {
	driver.Tx

	faults *Faults
}

// Commit implements driver.Tx.
func (tx faultyTx) Commit() error { return tx.faults.answer("COMMIT", tx.Tx.Commit) }

// AppendX is a change for Repository.Update.
func AppendX(body *string) error {
	*body += "x"
	return nil
}
