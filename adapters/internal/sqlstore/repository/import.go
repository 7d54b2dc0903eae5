package repository

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
)

var _ cqrsfeed.Importer[any] = (*Repository[any])(nil)

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

// flush stores the batch in one transaction, except for items whose ids are taken.
func (i *importing[T]) flush(ctx context.Context) error {
	r, rows := i.repository, i.rows
	if len(rows) == 0 {
		return nil
	}
	i.rows, i.bytes = nil, 0
	var free []*newRow
	for before := len(rows) + 1; ; before = len(free) {
		err := r.database.Change(ctx, func(tx *sqldb.Conn) (err error) {
			if free, _, err = r.freeRows(ctx, tx, rows); err != nil {
				return err
			}
			return r.insertItems(ctx, tx, free)
		})
		if err == nil {
			break
		}
		// If an id was taken between the search and the INSERT, the next try finds it. Otherwise another key is taken.
		if r.database.Dialect.Classify(err) != sqldb.Duplicate || len(free) >= before {
			return err
		}
	}
	i.summary.Stored += int64(len(free))
	i.summary.Passed += int64(len(rows) - len(free))
	return nil
}
