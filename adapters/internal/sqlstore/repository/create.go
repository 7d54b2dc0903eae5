package repository

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/outbox"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

const firstVersion = int64(1)

// newRow is the row of an item that is being created, and its event.
type newRow struct {
	id, body             string
	createdAt, updatedAt int64 // microseconds
	deleted              bool
	event                *message.Message // nil for a tombstone that is imported
}

func (n newRow) columns() []any {
	return []any{n.id, firstVersion, n.body, n.createdAt, n.updatedAt, n.deleted}
}

// Create implements cqrsfeed.Repository. Concurrent calls may share a transaction. Each gets the result of its own
// item. If the context of a call ends while such a transaction runs, the call returns when the transaction ends, within
// half a minute.
func (r *Repository[T]) Create(ctx context.Context, id string, body T) (_ cqrsfeed.Item[T], err error) {
	defer func() { err = r.wrap("create", id, err) }()
	now := now()
	item, row, err := r.newItem(ctx, cqrsfeed.Item[T]{ID: id, Body: body, CreatedAt: now, UpdatedAt: now})
	if err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	if err := r.creating.Do(ctx, row, func() error { return r.createAlone(ctx, row) }); err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	return item, nil
}

// newItem returns the first version of an item, if it is valid, and its row.
func (r *Repository[T]) newItem(ctx context.Context, item cqrsfeed.Item[T]) (cqrsfeed.Item[T], *newRow, error) {
	item.Version = firstVersion
	if err := cqrsfeed.ValidateID(item.ID); err != nil {
		return item, nil, err
	}
	item, err := driver.NewBody(item)
	if err != nil {
		return item, nil, err
	}
	if err := r.check(item); err != nil {
		return item, nil, err
	}
	event, err := r.newEvent(ctx, cqrsfeed.ItemCreated[T]{Item: item})
	if err != nil {
		return item, nil, err
	}
	return item, &newRow{
		id: item.ID, body: string(item.Encoded), createdAt: item.CreatedAt.UnixMicro(), updatedAt: item.UpdatedAt.UnixMicro(), event: event,
	}, nil
}

// createAlone creates an item in a transaction of its own.
func (r *Repository[T]) createAlone(ctx context.Context, row *newRow) error {
	return r.change(ctx, func(tx *sqldb.Conn) error {
		_, err := tx.ExecContext(ctx, r.insert+sqldb.NewItem, row.columns()...)
		switch {
		case err == nil:
			return outbox.Insert(ctx, r.outbox, tx, r.topics.Of(row.id).Created, row.event)
		case r.database.Dialect.Classify(err) == sqldb.Duplicate:
			return sqldb.Stop(cqrsfeed.ErrExists)
		default:
			return fmt.Errorf("insert row: %w", err)
		}
	})
}
