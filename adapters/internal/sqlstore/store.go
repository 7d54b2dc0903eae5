package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/outbox"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// Store is one SQL database of the application. It owns the outbox and the schema. Repositories and feed stores are made from it. Make one Store for a database: on SQLite its writers wait for each other in order. It is safe
// for concurrent use.
type Store struct {
	database *sqldb.Database
	prefix   string
	topics   func(name string) cqrsfeed.Topics
	outbox   *outbox.Outbox

	mu     sync.Mutex
	tables []sqldb.Table
}

// New returns a store in db, which the caller opens and closes. It does not touch the database.
func New(db *sql.DB, dialect sqldb.Dialect, config Config) (*Store, error) {
	if db == nil {
		return nil, fmt.Errorf("%s: %w: db is nil", dialect.Name, cqrsfeed.ErrInvalid)
	}
	config.setDefaults()
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("%s: store config: %w", dialect.Name, err)
	}
	name := config.TablePrefix + "outbox"
	s := &Store{database: sqldb.New(db, dialect, name), prefix: config.TablePrefix, topics: config.Topics}
	s.outbox = outbox.New(s.database, name, config.MaxEventBytes)
	s.tables = outbox.Tables(s.outbox)
	return s, nil
}

// Outbox returns the store's outbox, for a relay and for messages of the application's own.
func (s *Store) Outbox() *outbox.Outbox { return s.outbox }

// EnsureSchema creates the missing tables of the outbox and of everything that was made from the store. It updates
// tables of an earlier version, and returns an error if a table lacks a column. Call it at every start, after
// everything is made. Several processes may call it at once. If all tables exist, it needs no right to create any.
//
// On MySQL and PostgreSQL it also checks the server's version, the settings of the session, the engine and collations of the tables,
// and that the server accepts the statements of a relay. The error says what to set.
func (s *Store) EnsureSchema(ctx context.Context) error {
	s.mu.Lock()
	tables := slices.Clone(s.tables)
	s.mu.Unlock()
	err := s.database.Ensure(ctx, tables, outbox.LargestStatement(s.outbox))
	if err == nil {
		err = outbox.Prepare(ctx, s.outbox)
	}
	if err != nil {
		return fmt.Errorf("%s: ensure schema: %w", s.database.Dialect.Name, err)
	}
	return nil
}

// InTx runs body in a transaction of the session's isolation level, commits it and wakes the relay. Messages that body
// adds to the outbox are published if and only if the transaction commits.
//
// If body returns an error, InTx rolls back and returns that error unchanged. InTx does not retry, because body may do
// more than change the database. If the connection is lost during the commit, the error wraps
// cqrsfeed.ErrUnknownOutcome.
//
// body must use tx for all database access. Every other use of the store waits for a connection of its own, and on
// SQLite for body itself.
func (s *Store) InTx(ctx context.Context, body func(tx *sql.Tx) error) error {
	own, err := s.database.InTx(ctx, body)
	if err == nil || errors.Is(err, cqrsfeed.ErrUnknownOutcome) {
		s.outbox.Committed()
	}
	if own || err == nil {
		return err
	}
	return fmt.Errorf("%s: transaction: %w", s.database.Dialect.Name, err)
}

// NameOf returns the name of the store's dialect, "" for nil.
func NameOf(s *Store) string {
	if s == nil {
		return ""
	}
	return s.database.Dialect.Name
}

// Part is the access that something made from a Store has to it.
type Part struct {
	Database *sqldb.Database
	Outbox   *outbox.Outbox
	Topics   func(name string) cqrsfeed.Topics
}

// Attach adds tables to the store's schema and returns the access to them. kind and name describe what is made from the
// store. tables is called with the name after the store's prefix. Attach returns cqrsfeed.ErrInvalid if the name is not
// valid or the store has one of the tables already.
func Attach(s *Store, kind, name string, tables func(database *sqldb.Database, base string) []sqldb.Table) (Part, error) {
	if s == nil {
		return Part{}, fmt.Errorf("new %s %q: %w: store is nil", kind, name, cqrsfeed.ErrInvalid)
	}
	err := s.attach(name, tables)
	if err != nil {
		return Part{}, fmt.Errorf("%s: new %s %q: %w", s.database.Dialect.Name, kind, name, err)
	}
	return Part{Database: s.database, Outbox: s.outbox, Topics: s.topics}, nil
}

func (s *Store) attach(name string, tables func(database *sqldb.Database, base string) []sqldb.Table) error {
	if err := validateName("name", name); err != nil {
		return err
	}
	if err := validateName("TablePrefix and name", s.prefix+name); err != nil {
		return err
	}
	more := tables(s.database, s.prefix+name)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, table := range more {
		if slices.ContainsFunc(s.tables, func(other sqldb.Table) bool { return strings.EqualFold(table.Name, other.Name) }) {
			return fmt.Errorf("%w: table %s is in use by the outbox, or by a repository or feed store made before; choose another name",
				cqrsfeed.ErrInvalid, table.Name)
		}
	}
	s.tables = append(s.tables, more...)
	return nil
}
