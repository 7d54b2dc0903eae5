package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Store is one SQL database of the application. It owns the outbox and the schema. Repositories are made from it, and on
// SQLite feed stores. Make one Store for a database: on SQLite its writers wait for each other in order. It is safe for
// concurrent use.
type Store struct {
	database *Database
	prefix   string
	outbox   *Outbox

	mu     sync.Mutex
	tables []Table
}

// New returns a store in db, which the caller opens and closes. It does not touch the database.
func New(db *sql.DB, dialect Dialect, config Config) (*Store, error) {
	if db == nil {
		return nil, fmt.Errorf("%s: %w: db is nil", dialect.Name, cqrsfeed.ErrInvalid)
	}
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("%s: store config: %w", dialect.Name, err)
	}
	s := &Store{database: newDatabase(db, dialect), prefix: config.TablePrefix}
	s.outbox = newOutbox(s.database, s.prefix+"outbox")
	s.tables = s.outbox.tables()
	return s, nil
}

// Outbox returns the store's outbox, for a relay and for messages of the application's own.
func (s *Store) Outbox() *Outbox { return s.outbox }

// EnsureSchema creates the tables of the outbox and of everything that was made from the store, unless they exist. It
// brings tables of an earlier version up to date, and returns an error if a table lacks a column. Call it at every start,
// after everything is made; several processes may do so at once. Where the tables exist it needs no right to create any.
// On MySQL it returns cqrsfeed.ErrInvalid if the connection's character set is not utf8mb4.
func (s *Store) EnsureSchema(ctx context.Context) error {
	s.mu.Lock()
	tables := slices.Clone(s.tables)
	s.mu.Unlock()
	if err := s.database.ensure(ctx, tables); err != nil {
		return fmt.Errorf("%s: ensure schema: %w", s.database.dialect.Name, err)
	}
	return nil
}

// NameOf returns the name of the store's dialect, "" for nil.
func NameOf(s *Store) string {
	if s == nil {
		return ""
	}
	return s.database.dialect.Name
}

// Attach adds tables to the store's schema and returns the database for reading and writing them. kind and name are those
// of what is made from the store. tables is called with the name behind the store's prefix. Attach returns
// cqrsfeed.ErrInvalid if the name is not valid or the store has one of the tables already.
func Attach(s *Store, kind, name string, tables func(base string) []Table) (*Database, error) {
	if s == nil {
		return nil, fmt.Errorf("new %s %q: %w: store is nil", kind, name, cqrsfeed.ErrInvalid)
	}
	err := s.attach(name, tables)
	if err != nil {
		return nil, fmt.Errorf("%s: new %s %q: %w", s.database.dialect.Name, kind, name, err)
	}
	return s.database, nil
}

func (s *Store) attach(name string, tables func(base string) []Table) error {
	if err := validateName("name", name); err != nil {
		return err
	}
	if err := validateName("TablePrefix and name", s.prefix+name); err != nil {
		return err
	}
	more := tables(s.prefix + name)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, table := range more {
		if slices.ContainsFunc(s.tables, func(other Table) bool { return strings.EqualFold(table.Name, other.Name) }) {
			return fmt.Errorf("%w: table %s is in use by the outbox, or by a repository or feed store made before; choose another name",
				cqrsfeed.ErrInvalid, table.Name)
		}
	}
	s.tables = append(s.tables, more...)
	return nil
}
