package sqldb

import (
	"context"
	"database/sql"
	"errors"
)

// The types of this file wrap those of database/sql. Statements use the placeholder ? on every database.

// DB is a *sql.DB.
type DB struct {
	*sql.DB

	dialect *Dialect
}

// ExecContext is that of *sql.DB.
func (d DB) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return d.DB.ExecContext(ctx, d.dialect.bind(query), args...)
}

// QueryContext is that of *sql.DB.
func (d DB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return d.DB.QueryContext(ctx, d.dialect.bind(query), args...)
}

// QueryRowContext is that of *sql.DB.
func (d DB) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return d.DB.QueryRowContext(ctx, d.dialect.bind(query), args...)
}

// Conn is a *sql.Conn.
type Conn struct {
	*sql.Conn

	dialect *Dialect
}

// ExecContext is that of *sql.Conn.
func (c *Conn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return c.Conn.ExecContext(ctx, c.dialect.bind(query), args...)
}

// QueryContext is that of *sql.Conn.
func (c *Conn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return c.Conn.QueryContext(ctx, c.dialect.bind(query), args...)
}

// QueryRowContext is that of *sql.Conn.
func (c *Conn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return c.Conn.QueryRowContext(ctx, c.dialect.bind(query), args...)
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

// Tx is a *sql.Tx, which the functions of applications use.
type Tx struct {
	*sql.Tx

	dialect *Dialect
}

// Tx returns a transaction of an application's with the placeholder ?.
func (d *Database) Tx(tx *sql.Tx) Tx { return Tx{tx, d.Dialect} }

// ExecContext is that of *sql.Tx.
func (t Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return t.Tx.ExecContext(ctx, t.dialect.bind(query), args...)
}

// QueryContext is that of *sql.Tx.
func (t Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.Tx.QueryContext(ctx, t.dialect.bind(query), args...)
}

// QueryRowContext is that of *sql.Tx.
func (t Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return t.Tx.QueryRowContext(ctx, t.dialect.bind(query), args...)
}
