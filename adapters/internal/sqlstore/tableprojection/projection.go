// Package tableprojection implements projector.Projection on tables of the application's own.
package tableprojection

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/outbox"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// appliedSuffix makes the name of the table of applied items out of a projection's.
const appliedSuffix = "_applied"

// Step brings the application's tables from one state of an item to a newer one: see sqlitestore.Step.
type Step[T any] func(ctx context.Context, tx *sql.Tx, before, after *cqrsfeed.Item[T]) error

// Projection keeps tables of the application's own: see sqlitestore.TableProjection. The applied states are recorded in a
// table of the projection, in the transaction of the step. A batch of events is one transaction. If a step fails, nothing
// of the batch is applied, and the batch is redelivered.
//
// It implements projector.Projection for the events of a repository. It returns no updates: see projector.Forward. It
// is safe for concurrent use.
type Projection[T any] struct {
	projector.NoSweep

	database *sqldb.Database
	outbox   *outbox.Outbox
	name     string
	step     Step[T]
	sql      appliedStatements
}

var _ projector.Projection = (*Projection[any])(nil)

// appliedStatements are the statements on the table of applied items. The row with the empty id is the projection's
// lock. Its version counts the transactions.
type appliedStatements struct {
	lock, insert, read, delete, clear, ids, version string
}

// New returns a projection of the store that calls step: see sqlitestore.NewTableProjection.
func New[T any](store *sqlstore.Store, name string, step Step[T]) (*Projection[T], error) {
	if step == nil {
		return nil, fmt.Errorf("%s: new table projection %q: %w: step is nil", sqlstore.NameOf(store), name, cqrsfeed.ErrInvalid)
	}
	if err := driver.CheckBody[T](); err != nil {
		return nil, fmt.Errorf("%s: new table projection %q: %w", sqlstore.NameOf(store), name, err)
	}
	var table string
	part, err := sqlstore.Attach(store, "table projection", name, func(database *sqldb.Database, base string) []sqldb.Table {
		table = database.Dialect.Quote(base + appliedSuffix)
		return []sqldb.Table{{Name: base + appliedSuffix, Columns: sqldb.ItemColumns, Schema: database.Dialect.ItemsSchema(table)}}
	})
	if err != nil {
		return nil, err
	}
	return &Projection[T]{
		database: part.Database, outbox: part.Outbox, name: name, step: step,
		sql: appliedStatements{
			lock:    "UPDATE " + table + " SET version = version + 1 WHERE id = ''",
			insert:  "INSERT INTO " + table + " (" + sqldb.ItemColumns + ") VALUES ",
			read:    "SELECT " + sqldb.ItemColumns + " FROM " + table + " WHERE id IN ",
			delete:  "DELETE FROM " + table + " WHERE id IN ",
			clear:   "DELETE FROM " + table + " WHERE id > ''",
			ids:     "SELECT id FROM " + table + " WHERE id > ? ORDER BY id LIMIT ?",
			version: "SELECT version FROM " + table + " WHERE id = ?",
		},
	}, nil
}

// ItemVersion returns the last applied version of the item, or 0. The step of that version is visible. It implements
// cqrsfeed.ItemVersions.
func (p *Projection[T]) ItemVersion(ctx context.Context, id string) (version int64, err error) {
	defer func() { err = p.wrap(fmt.Sprintf("version of item %q", id), err) }()
	if err := cqrsfeed.ValidateID(id); err != nil {
		return 0, err
	}
	err = p.database.Retry(ctx, func() error {
		return p.database.DB.QueryRowContext(ctx, p.sql.version, id).Scan(&version)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return version, err
}

// Clear forgets all applied items and calls empty, which must delete everything that steps wrote, in one transaction.
// Afterwards each item of the write model is new to the projection. Run readmodel.Rebuild to apply all of them; events
// may keep coming. Call Clear when Step has changed, or uses a new field of the body, and all instances run the
// release. Readers see empty tables until the rebuild is done. To avoid that, make a second projection with tables of
// its own, rebuild it, and switch.
func (p *Projection[T]) Clear(ctx context.Context, empty func(ctx context.Context, tx *sql.Tx) error) error {
	return p.wrap("clear", p.transact(ctx, func(tx *sql.Tx) error {
		if _, err := p.database.Tx(tx).ExecContext(ctx, p.sql.clear); err != nil {
			return fmt.Errorf("forget applied items: %w", err)
		}
		return empty(ctx, tx)
	}))
}

// wrap adds what was being done by which projection.
func (p *Projection[T]) wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: table projection %s: %s: %w", p.database.Dialect.Name, p.name, operation, err)
}
