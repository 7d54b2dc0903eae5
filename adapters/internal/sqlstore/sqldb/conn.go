package sqldb

import (
	"context"
	"database/sql"
	"errors"
)

// Statements executes statements on a pool, a connection or a transaction. They use the placeholder ? on every database.
type Statements struct {
	on      executor
	dialect *Dialect
}

type executor interface {
	Execer
	Querier
}

// ExecContext is that of *sql.DB.
func (s Statements) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return s.on.ExecContext(ctx, s.dialect.bind(query), args...)
}

// QueryContext is that of *sql.DB.
func (s Statements) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.on.QueryContext(ctx, s.dialect.bind(query), args...)
}

// QueryRowContext is that of *sql.DB.
func (s Statements) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return s.on.QueryRowContext(ctx, s.dialect.bind(query), args...)
}

// DB is a pool.
type DB struct {
	Statements

	DB *sql.DB
}

// Conn is a connection.
type Conn struct {
	Statements

	Conn *sql.Conn
}

// InsertID executes an INSERT of at most one row into a table with the column id. It returns the id that the database
// chose. That is 0 or undefined if no row was inserted.
func (c *Conn) InsertID(ctx context.Context, query string, args ...any) (id int64, err error) {
	if c.dialect.ReturningID {
		err := c.QueryRowContext(ctx, query+" RETURNING id", args...).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return id, err
	}
	result, err := c.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// Tx returns the statements of an application's transaction.
func (d *Database) Tx(tx *sql.Tx) Statements { return Statements{tx, d.Dialect} }
