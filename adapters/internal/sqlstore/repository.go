package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

const firstVersion = int64(1)

const itemColumns = "id, version, body, created_at, updated_at, deleted"

// Repository is a write model in a table. Its events go to the topics that cqrsfeed.TopicsOf gives for its name, through
// the store's outbox. They are named ItemCreated, ItemUpdated and ItemDeleted in the messages' metadata, beside the W3C
// trace context (traceparent) of the caller's context, if it has one. It implements cqrsfeed.Repository and is safe for
// concurrent use.
type Repository[T any] struct {
	database *Database
	outbox   *Outbox
	name     string
	topics   cqrsfeed.Topics
	checks   []func(cqrsfeed.Item[T]) error
	creating *creations

	insert, exist, get, lock, update, scan, count string
}

var _ cqrsfeed.Repository[any] = (*Repository[any])(nil)

// NewRepository returns a repository of the store. Its table has the name, behind the store's TablePrefix; its topics are
// those of cqrsfeed.TopicsOf(name). The name is made of ASCII letters, digits and underscores, does not begin with a
// digit, and has at most 40 bytes with the prefix. A store has one repository of a name. Another name, or one whose table
// the store has already, is refused with cqrsfeed.ErrInvalid. It does not touch the database: Store.EnsureSchema creates
// the table.
//
// Create and Update call the checks for the item that they are about to write. The first error of a check refuses it, as
// cqrsfeed.ErrInvalid: nothing is written. What a projection would refuse later is best refused here (cqrsfeed.CheckFeeds).
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
	r.creating = newCreations(dialect.creationsAtOnce(), r.createTogether)
	return r, nil
}

// check asks the checks about an item that is about to be written.
func (r *Repository[T]) check(item cqrsfeed.Item[T]) error {
	for _, check := range r.checks {
		err := check(item)
		if err == nil {
			continue
		}
		if !errors.Is(err, cqrsfeed.ErrInvalid) {
			err = fmt.Errorf("%w: %w", cqrsfeed.ErrInvalid, err)
		}
		return fmt.Errorf("check: %w", err)
	}
	return nil
}

// Create implements cqrsfeed.Repository. Calls of the same moment may share a transaction; each gets the result of its own
// item. A call whose context ends while such a transaction is under way returns when that ended, within half a minute.
func (r *Repository[T]) Create(ctx context.Context, id string, body T) (cqrsfeed.Item[T], error) {
	item, err := r.create(ctx, id, body)
	return item, r.wrap("create", id, err)
}

func (r *Repository[T]) create(ctx context.Context, id string, body T) (cqrsfeed.Item[T], error) {
	if err := cqrsfeed.ValidateID(id); err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	encoded, err := encodeBody(body)
	if err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	now := now()
	item := cqrsfeed.Item[T]{ID: id, Version: firstVersion, Body: body, CreatedAt: now, UpdatedAt: now}
	if err := r.check(item); err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	event, err := cqrsfeed.NewMessage(cqrsfeed.ItemCreatedName, cqrsfeed.ItemCreated[T]{Item: item})
	if err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	driver.InjectTrace(ctx, event)
	row := &creation{id: id, encoded: encoded, at: now.UnixMicro(), event: event, outcome: make(chan error, 1)}
	if err := r.creating.do(ctx, row, func() error { return r.createAlone(ctx, row) }); err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	return item, nil
}

// createAlone creates an item in a transaction of its own.
func (r *Repository[T]) createAlone(ctx context.Context, row *creation) error {
	return r.change(ctx, func(tx *sql.Conn) error {
		_, err := tx.ExecContext(ctx, r.insert+"(?, ?, ?, ?, ?, ?)", row.id, firstVersion, row.encoded, row.at, row.at, false)
		switch {
		case err == nil:
			return r.outbox.add(ctx, tx, r.topics.Created, row.event)
		case r.database.dialect.Classify(err) == Duplicate:
			return Stop(cqrsfeed.ErrExists)
		default:
			return fmt.Errorf("insert row: %w", err)
		}
	})
}

// change runs body in a transaction and wakes the relay when there may be something in the outbox.
func (r *Repository[T]) change(ctx context.Context, body func(tx *sql.Conn) error) error {
	err := r.database.Change(ctx, body)
	if err == nil || errors.Is(err, cqrsfeed.ErrUnknownOutcome) {
		r.outbox.Committed()
	}
	return err
}

// wrap says what was being done to which item.
func (r *Repository[T]) wrap(operation, id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s %s %q: %w", r.database.dialect.Name, operation, r.name, id, err)
}

// now is the time as stores keep it. It has no monotonic part, so that it equals what is read back.
func now() time.Time { return time.UnixMicro(time.Now().UnixMicro()).UTC() }
