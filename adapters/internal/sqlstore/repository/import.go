package repository

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
)

var _ cqrsfeed.Importer[any] = (*Repository[any])(nil)

// importTries is the number of tries to store a batch. A try fails if another writer takes an id between the search for
// taken ids and the INSERT. After the last try each item is stored alone.
const importTries = 3

// Import implements cqrsfeed.Importer. A batch is one INSERT of up to 500 items.
func (r *Repository[T]) Import(
	ctx context.Context, items iter.Seq2[cqrsfeed.Item[T], error], refused func(item cqrsfeed.Item[T], reason error),
) (cqrsfeed.ImportSummary, error) {
	run := importing[T]{repository: r, refused: refused}
	err := run.all(ctx, items)
	if err != nil {
		err = fmt.Errorf("%s: import items of %s: %w", r.database.Dialect.Name, r.name, err)
	}
	return run.summary, err
}

// importing is one call of Import.
type importing[T any] struct {
	repository *Repository[T]
	refused    func(item cqrsfeed.Item[T], reason error)
	summary    cqrsfeed.ImportSummary
	rows       []*newRow
	bytes      int
}

func (i *importing[T]) all(ctx context.Context, items iter.Seq2[cqrsfeed.Item[T], error]) error {
	for item, err := range items {
		if err != nil {
			return fmt.Errorf("read items: %w", err)
		}
		if err := i.add(ctx, item); err != nil {
			return err
		}
	}
	return i.flush(ctx)
}

// add adds an item to the batch. It stores the batch first if it is full.
func (i *importing[T]) add(ctx context.Context, item cqrsfeed.Item[T]) error {
	row, err := i.repository.importedRow(ctx, item)
	if err != nil {
		i.summary.Refused++
		if i.refused != nil {
			i.refused(item, err)
		}
		return nil
	}
	if len(i.rows) == sqldb.MaxInsertRows || len(i.rows) > 0 && i.bytes+len(row.body) > sqldb.MaxInsertBytes {
		if err := i.flush(ctx); err != nil {
			return err
		}
	}
	i.rows = append(i.rows, row)
	i.bytes += len(row.body)
	return nil
}

// importedRow returns the row of an item, or the reason why Create would refuse it. A deleted item gets the row of an
// erased one.
func (r *Repository[T]) importedRow(ctx context.Context, item cqrsfeed.Item[T]) (*newRow, error) {
	if item.CreatedAt.IsZero() {
		return nil, fmt.Errorf("%w: item %q has no CreatedAt", cqrsfeed.ErrInvalid, item.ID)
	}
	createdAt := item.CreatedAt.UTC().Truncate(time.Microsecond)
	updatedAt := item.UpdatedAt.UTC().Truncate(time.Microsecond)
	if updatedAt.Before(createdAt) {
		updatedAt = createdAt
	}
	if item.Deleted {
		row := &newRow{
			id: item.ID, body: erasedBody, createdAt: createdAt.UnixMicro(), updatedAt: updatedAt.UnixMicro(), deleted: true,
		}
		return row, cqrsfeed.ValidateID(item.ID)
	}
	item.Settle()
	item.CreatedAt, item.UpdatedAt = createdAt, updatedAt
	_, row, err := r.newItem(ctx, item)
	return row, err
}

// flush stores the batch.
func (i *importing[T]) flush(ctx context.Context) error {
	rows := i.rows
	i.rows, i.bytes = nil, 0
	for range importTries {
		err := i.store(ctx, rows)
		if err == nil || !i.duplicate(err) {
			return err
		}
	}
	for _, row := range rows {
		err := i.store(ctx, []*newRow{row})
		switch {
		case err == nil:
		case i.duplicate(err):
			i.summary.Passed++
		default:
			return err
		}
	}
	return nil
}

func (i *importing[T]) duplicate(err error) bool {
	return i.repository.database.Dialect.Classify(err) == sqldb.Duplicate
}

// store stores rows in one transaction.
func (i *importing[T]) store(ctx context.Context, rows []*newRow) error {
	r := i.repository
	stored := 0
	err := r.database.Change(ctx, func(tx *sql.Conn) error {
		free, err := r.freeRows(ctx, tx, rows)
		stored = len(free)
		if err != nil {
			return err
		}
		return r.insertItems(ctx, tx, free)
	})
	if err != nil {
		return err
	}
	i.summary.Stored += int64(stored)
	i.summary.Passed += int64(len(rows) - stored)
	return nil
}

// freeRows returns the rows whose ids are not taken, each id once.
func (r *Repository[T]) freeRows(ctx context.Context, tx *sql.Conn, rows []*newRow) ([]*newRow, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	taken, err := r.takenIDs(ctx, tx, rows)
	if err != nil {
		return nil, err
	}
	var free []*newRow
	for _, row := range rows {
		if !taken[row.id] {
			taken[row.id] = true
			free = append(free, row)
		}
	}
	return free, nil
}
