package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// Update implements cqrsfeed.Repository. change runs inside the transaction, while the item is locked. It must not use the
// store, nor wait for anything that does.
func (r *Repository[T]) Update(
	ctx context.Context, id string, change func(body *T) error, opts ...cqrsfeed.ChangeOption,
) (cqrsfeed.Item[T], error) {
	item, err := r.modify(ctx, id, opts, r.topics.Updated, func(current stored[T]) (stored[T], *message.Message, error) {
		// change may alter what current's body refers to, so the event gets a copy of its own.
		original, err := decodeItem[T](current.item.ID, current.encoded, current.item)
		if err != nil {
			return stored[T]{}, nil, err
		}
		next := current
		if err := change(&next.item.Body); err != nil {
			return stored[T]{}, nil, fmt.Errorf("change: %w", err)
		}
		if next.encoded, err = encodeBody(next.item.Body); err != nil {
			return stored[T]{}, nil, err
		}
		next.advance()
		if err := r.check(next.item); err != nil {
			return stored[T]{}, nil, err
		}
		event, err := cqrsfeed.NewMessage(cqrsfeed.ItemUpdatedName, cqrsfeed.ItemUpdated[T]{Original: original, Item: next.item})
		return next, event, err
	})
	return item, r.wrap("update", id, err)
}

// Delete implements cqrsfeed.Repository.
func (r *Repository[T]) Delete(ctx context.Context, id string, opts ...cqrsfeed.ChangeOption) (cqrsfeed.Item[T], error) {
	item, err := r.modify(ctx, id, opts, r.topics.Deleted, func(current stored[T]) (stored[T], *message.Message, error) {
		next := current
		next.item.Deleted = true
		next.advance()
		event, err := cqrsfeed.NewMessage(cqrsfeed.ItemDeletedName, cqrsfeed.ItemDeleted[T]{Item: next.item})
		return next, event, err
	})
	return item, r.wrap("delete", id, err)
}

// modify reads an item, locks it until the commit, and stores its next state together with the event.
func (r *Repository[T]) modify(
	ctx context.Context, id string, opts []cqrsfeed.ChangeOption, topic string,
	step func(current stored[T]) (next stored[T], event *message.Message, err error),
) (cqrsfeed.Item[T], error) {
	if err := cqrsfeed.ValidateID(id); err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	conditions := driver.Conditions(opts)
	var item cqrsfeed.Item[T]
	err := r.change(ctx, func(tx *sql.Conn) error {
		current, err := scanItem[T](tx.QueryRowContext(ctx, r.lock, id))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return cqrsfeed.ErrNotFound
		case err != nil:
			return fmt.Errorf("lock row: %w", err)
		case current.item.Deleted:
			return cqrsfeed.ErrNotFound
		}
		if err := conditions.Check(current.item.Version); err != nil {
			return err
		}
		next, event, err := step(current)
		if err != nil {
			return Stop(err)
		}
		item = next.item
		_, err = tx.ExecContext(ctx, r.update, item.Version, next.encoded, item.UpdatedAt.UnixMicro(), item.Deleted, id)
		if err != nil {
			return fmt.Errorf("update row: %w", err)
		}
		return r.outbox.add(ctx, tx, topic, event)
	})
	if err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	return item, nil
}
