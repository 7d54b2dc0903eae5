package crashtest

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
)

// Connector makes every statement of a driver's connections a step of the process. Use it with sql.OpenDB. Close the
// *sql.DB when the process has stopped, so that the server rolls back what was open.
func Connector(connector driver.Connector, process *Process) driver.Connector {
	return Intercept(process.ctx, connector, func(statement string, execute func() error) error {
		words := strings.Fields(statement)
		return process.Step(strings.Join(words[:min(3, len(words))], " "), execute)
	})
}

// Intercept calls step for every statement of a driver's connections, BEGIN, COMMIT and ROLLBACK included. The statement is
// executed when step calls execute. When ctx has ended, there are no new connections, and none is valid.
func Intercept(
	ctx context.Context, connector driver.Connector, step func(statement string, execute func() error) error,
) driver.Connector {
	return steppedConnector{connector, &stepping{ctx, step}}
}

type stepping struct {
	ctx  context.Context //nolint:containedctx // the life of the connections
	step func(statement string, execute func() error) error
}

type steppedConnector struct {
	driver.Connector

	*stepping
}

// Connect implements driver.Connector. It is no step, because it changes nothing.
func (c steppedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.ctx.Err() != nil {
		return nil, ErrStopped
	}
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	full, ok := conn.(fullConn)
	if !ok {
		_ = conn.Close()
		return nil, fmt.Errorf("connections of type %T do not take contexts", conn)
	}
	return steppedConn{full, c.stepping}, nil
}

// fullConn is what current drivers implement.
type fullConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
}

type steppedConn struct {
	fullConn

	*stepping
}

// ExecContext implements driver.ExecerContext.
func (c steppedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	err = c.step(query, func() error {
		result, err = c.fullConn.ExecContext(ctx, query, args)
		return err
	})
	return result, err
}

// QueryContext implements driver.QueryerContext.
func (c steppedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = c.step(query, func() error {
		rows, err = c.fullConn.QueryContext(ctx, query, args)
		return err
	})
	return rows, stopReading(rows, err)
}

// PrepareContext implements driver.ConnPrepareContext. It is no step: executing the statement is.
func (c steppedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.fullConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	full, ok := stmt.(fullStmt)
	if !ok {
		_ = stmt.Close()
		return nil, fmt.Errorf("statements of type %T do not take contexts", stmt)
	}
	return steppedStmt{full, query, c.stepping}, nil
}

// BeginTx implements driver.ConnBeginTx.
func (c steppedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (tx driver.Tx, err error) {
	err = c.step("BEGIN", func() error {
		tx, err = c.fullConn.BeginTx(ctx, opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	return steppedTx{tx, c.stepping}, nil
}

// CheckNamedValue implements driver.NamedValueChecker by the driver's own.
func (c steppedConn) CheckNamedValue(value *driver.NamedValue) error {
	if checker, ok := c.fullConn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(value)
	}
	return driver.ErrSkip
}

// ResetSession implements driver.SessionResetter.
func (c steppedConn) ResetSession(ctx context.Context) error {
	if resetter, ok := c.fullConn.(driver.SessionResetter); ok {
		return resetter.ResetSession(ctx)
	}
	return nil
}

// IsValid implements driver.Validator.
func (c steppedConn) IsValid() bool {
	validator, ok := c.fullConn.(driver.Validator)
	return c.ctx.Err() == nil && (!ok || validator.IsValid())
}

type fullStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type steppedStmt struct {
	fullStmt

	query string
	*stepping
}

// ExecContext implements driver.StmtExecContext.
func (s steppedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (result driver.Result, err error) {
	err = s.step(s.query, func() error {
		result, err = s.fullStmt.ExecContext(ctx, args)
		return err
	})
	return result, err
}

// QueryContext implements driver.StmtQueryContext.
func (s steppedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = s.step(s.query, func() error {
		rows, err = s.fullStmt.QueryContext(ctx, args)
		return err
	})
	return rows, stopReading(rows, err)
}

type steppedTx struct {
	driver.Tx

	*stepping
}

// Commit implements driver.Tx.
func (t steppedTx) Commit() error { return t.step("COMMIT", t.Tx.Commit) }

// Rollback implements driver.Tx.
func (t steppedTx) Rollback() error { return t.step("ROLLBACK", t.Tx.Rollback) }

// stopReading closes rows that come with an error, and returns the error.
func stopReading(rows driver.Rows, err error) error {
	if err != nil && rows != nil {
		_ = rows.Close()
	}
	return err
}
