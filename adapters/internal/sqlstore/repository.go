package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/groupcommit"
	"github.com/feedmill/feedmill/cqrsfeed"
)

const itemColumns = "id, version, body, created_at, updated_at, deleted"

// Repository is a write model in a table. Its events go through the store's outbox to the topics that cqrsfeed.TopicsOf
// returns for its name. The messages' metadata has the event's name (ItemCreated, ItemUpdated, ItemDeleted) and the W3C
// trace context (traceparent) of the caller's context, if there is one. It implements cqrsfeed.Repository and is safe for
// concurrent use.
type Repository[T any] struct {
	database *Database
	outbox   *Outbox
	name     string
	topics   cqrsfeed.Topics
	checks   []func(cqrsfeed.Item[T]) error
	creating *groupcommit.Group[*newRow]

	insert, exist, get, lock, update, scan, count string
}

var _ cqrsfeed.Repository[any] = (*Repository[any])(nil)

// NewRepository returns a repository of the store. Its table is the store's TablePrefix and the name; its topics are those
// of cqrsfeed.TopicsOf(name). The name must consist of ASCII letters, digits and underscores, must not begin with a digit,
// and has at most 40 bytes with the prefix. A store has one repository of a name. NewRepository returns cqrsfeed.ErrInvalid
// for other names and for one whose table the store has already. It does not touch the database: Store.EnsureSchema
// creates the table.
//
// Create and Update call the checks with the item that they are about to write. If a check returns an error, nothing is
// written and the error wraps cqrsfeed.ErrInvalid.
func NewRepository[T any](store *Store, name string, checks ...func(cqrsfeed.Item[T]) error) (*Repository[T], error) {
	database, err := Attach(store, "repository", name, func(base string) []Table {
		dialect := store.database.dialect
		return []Table{{Name: base, Columns: itemColumns, Schema: dialect.ItemsSchema(dialect.Quote(base))}}
	})
	if err != nil {
		return nil, err
	}
	dialect := database.dialect
	table := dialect.Quote(store.prefix + name)
	get := "SELECT " + itemColumns + " FROM " + table + " WHERE id = ?"
	r := &Repository[T]{
		database: database,
		outbox:   store.outbox,
		name:     name,
		topics:   cqrsfeed.TopicsOf(name),
		checks:   checks,
		insert:   "INSERT INTO " + table + " (" + itemColumns + ") VALUES ",
		exist:    "SELECT id FROM " + table + " WHERE id IN ",
		get:      get,
		lock:     get + dialect.LockRow,
		update:   "UPDATE " + table + " SET version = ?, body = ?, updated_at = ?, deleted = ? WHERE id = ?",
		scan:     "SELECT " + itemColumns + " FROM " + table + " WHERE id > ? ORDER BY id LIMIT ?",
		count:    "SELECT COUNT(*) FROM " + table,
	}
	r.creating = groupcommit.New(r.groupConfig())
	return r, nil
}

// check calls the checks with an item that is about to be written.
func (r *Repository[T]) check(item cqrsfeed.Item[T]) error {
	for _, check := range r.checks {
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

// change runs body in a transaction and wakes the relay when there may be something in the outbox.
func (r *Repository[T]) change(ctx context.Context, body func(tx *sql.Conn) error) error {
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
	return fmt.Errorf("%s: %s %s %q: %w", r.database.dialect.Name, operation, r.name, id, err)
}

// now returns the time as rows keep it, in whole microseconds, so that it equals what is read back.
func now() time.Time { return time.UnixMicro(time.Now().UnixMicro()).UTC() }
