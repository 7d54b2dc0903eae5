// Package repository implements cqrsfeed.Repository and cqrsfeed.Importer in a table of an SQL database.
package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/groupcommit"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/outbox"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// Repository is a write model in a table. Its events go through the store's outbox to the topics that cqrsfeed.TopicsOf
// returns for its name. The messages' metadata has the event's name (ItemCreated, ItemUpdated, ItemDeleted) and the W3C
// trace context (traceparent) of the caller's context, if there is one. It implements cqrsfeed.Repository and is safe
// for concurrent use.
type Repository[T any] struct {
	database *sqldb.Database
	outbox   *outbox.Outbox
	name     string
	topics   cqrsfeed.Topics
	creating *groupcommit.Group[*newRow]

	mu     sync.Mutex
	checks []func(cqrsfeed.Item[T]) error // only appended to

	insert, exist, get, lock, update, scan, count, removeTombstones string
}

var _ cqrsfeed.Repository[any] = (*Repository[any])(nil)

// New returns a repository of the store: see sqlitestore.NewRepository. If its topics have partitions, the outbox keeps
// their order.
func New[T any](store *sqlstore.Store, name string, checks ...func(cqrsfeed.Item[T]) error) (*Repository[T], error) {
	if err := driver.CheckBody[T](); err != nil {
		return nil, fmt.Errorf("%s: new repository %q: %w", sqlstore.NameOf(store), name, err)
	}
	var table string
	part, err := sqlstore.Attach(store, "repository", name, func(database *sqldb.Database, base string) []sqldb.Table {
		table = database.Dialect.Quote(base)
		return []sqldb.Table{{Name: base, Columns: sqldb.ItemColumns, Schema: database.Dialect.ItemsSchema(table)}}
	})
	if err != nil {
		return nil, err
	}
	get := "SELECT " + sqldb.ItemColumns + " FROM " + table + " WHERE id = ?"
	r := &Repository[T]{
		database: part.Database,
		outbox:   part.Outbox,
		name:     name,
		topics:   part.Topics(name),
		checks:   slices.Clone(checks),
		insert:   "INSERT INTO " + table + " (" + sqldb.ItemColumns + ") VALUES ",
		exist:    "SELECT id FROM " + table + " WHERE id IN ",
		get:      get,
		lock:     get + part.Database.Dialect.LockRow,
		update:   "UPDATE " + table + " SET version = ?, body = ?, updated_at = ?, deleted = ? WHERE id = ?",
		scan:     "SELECT " + sqldb.ItemColumns + " FROM " + table + " WHERE id > ? ORDER BY id LIMIT ?",
		count:    "SELECT COUNT(*) FROM " + table,

		removeTombstones: "DELETE FROM " + table + " WHERE deleted AND updated_at < ? AND id IN ",
	}
	if r.topics.Partitions > 0 {
		r.outbox.KeepOrder(r.topics.All()...)
	}
	r.creating = groupcommit.New(r.groupConfig())
	return r, nil
}

// Name returns the name of the repository.
func (r *Repository[T]) Name() string { return r.name }

// Topics returns the topics of the repository's events.
func (r *Repository[T]) Topics() cqrsfeed.Topics { return r.topics }

// AddCheck adds a check to those of New. Writes that are in progress may not be checked by it.
func (r *Repository[T]) AddCheck(check func(cqrsfeed.Item[T]) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checks = append(r.checks, check)
}

// check calls the checks with an item before it is written.
func (r *Repository[T]) check(item cqrsfeed.Item[T]) error {
	r.mu.Lock()
	checks := r.checks
	r.mu.Unlock()
	for _, check := range checks {
		err := check(item)
		if err == nil {
			continue
		}
		if !errors.Is(err, cqrsfeed.ErrInvalid) {
			err = fmt.Errorf("%[2]w: %[1]w", err, cqrsfeed.ErrInvalid) // the status of err, if it has one, comes first
		}
		return fmt.Errorf("check: %w", err)
	}
	return nil
}

// change runs body in a transaction, and wakes the relay if there may be messages in the outbox.
func (r *Repository[T]) change(ctx context.Context, body func(tx *sqldb.Conn) error) error {
	err := r.database.Change(ctx, body)
	if err == nil || errors.Is(err, cqrsfeed.ErrUnknownOutcome) {
		r.outbox.Committed()
	}
	return err
}

// wrap adds what was being done to which item.
func (r *Repository[T]) wrap(operation, id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s %s %q: %w", r.database.Dialect.Name, operation, r.name, id, err)
}

// now returns the time in whole microseconds, as rows store it, so that it equals the time that is read back.
func now() time.Time { return time.UnixMicro(time.Now().UnixMicro()).UTC() }
