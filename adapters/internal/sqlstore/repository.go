package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

const firstVersion = int64(1)

const itemColumns = "id, version, body, created_at, updated_at, deleted"

// Repository is a table of items whose changes go into an outbox.
type Repository[T any] struct {
	database *Database
	outbox   *Outbox
	config   RepositoryConfig
	creating *creations

	insert, exist, get, lock, update, scan string
}

// NewRepository starts nothing and asks the database for nothing.
func NewRepository[T any](db *sql.DB, dialect Dialect, outbox *Outbox, config RepositoryConfig) (*Repository[T], error) {
	config.SetDefaults()
	problems := []error{config.Validate()}
	switch {
	case outbox == nil:
		problems = append(problems, errors.New("no Outbox"))
	case outbox.database.db != db:
		problems = append(problems, errors.New("the Outbox is on another *sql.DB: no transaction can span both"))
	case strings.EqualFold(outbox.table, config.Table), strings.EqualFold(outbox.table+parkedSuffix, config.Table):
		problems = append(problems, fmt.Errorf("table %s is the outbox's", config.Table))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("%s: repository config: %w", dialect.Name, err)
	}
	database, err := NewDatabase(db, dialect)
	if err != nil {
		return nil, err
	}
	table := dialect.Quote(config.Table)
	get := "SELECT " + itemColumns + " FROM " + table + " WHERE id = ?"
	r := &Repository[T]{
		database: database,
		outbox:   outbox,
		config:   config,
		insert:   "INSERT INTO " + table + " (" + itemColumns + ") VALUES ",
		exist:    "SELECT id FROM " + table + " WHERE id IN ",
		get:      get,
		lock:     get + dialect.LockRow,
		update:   "UPDATE " + table + " SET version = ?, body = ?, updated_at = ?, deleted = ? WHERE id = ?",
		scan:     "SELECT " + itemColumns + " FROM " + table + " WHERE id > ? ORDER BY id LIMIT ?",
	}
	r.creating = newCreations(dialect.creationsAtOnce(), r.createTogether)
	return r, nil
}

// EnsureSchema creates the table unless it exists.
func (r *Repository[T]) EnsureSchema(ctx context.Context) error {
	dialect := r.database.dialect
	schema := dialect.ItemsSchema(dialect.Quote(r.config.Table))
	return r.database.EnsureTable(ctx, r.config.Table, schema, itemColumns)
}

// Create implements cqrsfeed.Repository.
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
			return r.outbox.Add(ctx, tx, r.config.Topics.Created, row.event)
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
	return fmt.Errorf("%s: %s item %q in table %s: %w", r.database.dialect.Name, operation, id, r.config.Table, err)
}

// now is the time as stores keep it. It has no monotonic part, so that it equals what is read back.
func now() time.Time { return time.UnixMicro(time.Now().UnixMicro()).UTC() }
