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

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
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

// Open opens a database.
func (f *Faults) Open(connector driver.Connector) *sql.DB {
	return sql.OpenDB(crashtest.Intercept(context.Background(), counting{connector, &f.Opened}, f.execute))
}

// Set lets decide execute the statements that begin with prefix, or not.
func (f *Faults) Set(prefix string, decide func(execute func() error) error) {
	f.Decide(func(statement string, execute func() error) error {
		if strings.HasPrefix(statement, prefix) {
			return decide(execute)
		}
		return execute()
	})
}

// Decide lets decide execute all statements, or not.
func (f *Faults) Decide(decide func(statement string, execute func() error) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.decide = decide
}

func (f *Faults) execute(statement string, execute func() error) error {
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

// counting counts connections.
type counting struct {
	driver.Connector

	opened *atomic.Int64
}

// Connect implements driver.Connector.
func (c counting) Connect(ctx context.Context) (driver.Conn, error) {
	c.opened.Add(1)
	return c.Connector.Connect(ctx)
}

// AppendX is a change for Repository.Update.
func AppendX(body *string) error {
	*body += "x"
	return nil
}
