package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

const firstVersion = int64(1)

// newRow is the row of an item that is being created, and its event.
type newRow struct {
	id, body string
	at       int64 // microseconds
	event    *message.Message
}

func (n newRow) columns() []any { return []any{n.id, firstVersion, n.body, n.at, n.at, false} }

// newRowValues is what a row of itemColumns takes in an INSERT.
const newRowValues = "(?, ?, ?, ?, ?, ?)"

// Create implements cqrsfeed.Repository. Calls of the same moment may share a transaction; each gets the result of its own
// item. A call whose context ends while such a transaction runs returns when that ends, within half a minute.
func (r *Repository[T]) Create(ctx context.Context, id string, body T) (cqrsfeed.Item[T], error) {
	item, err := r.create(ctx, id, body)
	return item, r.wrap("create", id, err)
}

func (r *Repository[T]) create(ctx context.Context, id string, body T) (cqrsfeed.Item[T], error) {
	item, row, err := r.newItem(ctx, id, body)
	if err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	if err := r.creating.Do(ctx, row, func() error { return r.createAlone(ctx, row) }); err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	return item, nil
}

// newItem returns a valid item and what is to be stored of it.
func (r *Repository[T]) newItem(ctx context.Context, id string, body T) (cqrsfeed.Item[T], *newRow, error) {
	now := now()
	item := cqrsfeed.Item[T]{ID: id, Version: firstVersion, Body: body, CreatedAt: now, UpdatedAt: now}
	if err := cqrsfeed.ValidateID(id); err != nil {
		return item, nil, err
	}
	encoded, err := encodeBody(body)
	if err != nil {
		return item, nil, err
	}
	if err := r.check(item); err != nil {
		return item, nil, err
	}
	event, err := cqrsfeed.NewMessage(cqrsfeed.ItemCreatedName, cqrsfeed.ItemCreated[T]{Item: item})
	if err != nil {
		return item, nil, err
	}
	driver.InjectTrace(ctx, event)
	return item, &newRow{id: id, body: encoded, at: now.UnixMicro(), event: event}, nil
}

// createAlone creates an item in a transaction of its own.
func (r *Repository[T]) createAlone(ctx context.Context, row *newRow) error {
	return r.change(ctx, func(tx *sql.Conn) error {
		_, err := tx.ExecContext(ctx, r.insert+newRowValues, row.columns()...)
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
