package repository

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/outbox"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// Update implements cqrsfeed.Repository. change runs inside the transaction, while the item is locked. It must not use
// the store, nor wait for anything that does.
func (r *Repository[T]) Update(
	ctx context.Context, id string, change func(body *T) error, opts ...cqrsfeed.ChangeOption,
) (cqrsfeed.Item[T], error) {
	step := func(item *cqrsfeed.Item[T], undecodable error) (event *message.Message, err error) {
		if undecodable != nil {
			return nil, undecodable
		}
		original := *item
		if *item, err = driver.Change(original, change); err != nil {
			return nil, err
		}
		advance(item)
		if err := r.check(*item); err != nil {
			return nil, err
		}
		event, err = r.newEvent(ctx, cqrsfeed.ItemUpdated[T]{Original: &original, Item: *item})
		if errors.Is(err, cqrsfeed.ErrTooLarge) {
			event, err = r.newEvent(ctx, cqrsfeed.ItemUpdated[T]{Item: *item})
		}
		return event, err
	}
	item, err := r.modify(ctx, id, opts, r.topics.Of(id).Updated, step)
	return item, r.wrap("update", id, err)
}

// Delete implements cqrsfeed.Repository.
func (r *Repository[T]) Delete(ctx context.Context, id string, opts ...cqrsfeed.ChangeOption) (cqrsfeed.Item[T], error) {
	step := func(item *cqrsfeed.Item[T], _ error) (event *message.Message, err error) {
		item.Deleted = true
		advance(item)
		tombstone := *item
		if _, err = item.EncodedBody(); err == nil && json.Valid(item.Encoded) {
			event, err = r.newEvent(ctx, cqrsfeed.ItemDeleted[T]{Item: tombstone})
			if !errors.Is(err, cqrsfeed.ErrTooLarge) {
				return event, err
			}
		}
		var none T // what is there can always be deleted, whatever somebody wrote into the row
		tombstone.Body, tombstone.Encoded = none, json.RawMessage("null")
		return r.newEvent(ctx, cqrsfeed.ItemDeleted[T]{Item: tombstone})
	}
	item, err := r.modify(ctx, id, opts, r.topics.Of(id).Deleted, step)
	return item, r.wrap("delete", id, err)
}

// newEvent returns the message of an event, or ErrTooLarge if no relay could publish it.
func (r *Repository[T]) newEvent(
	ctx context.Context, event interface {
		Message() (*message.Message, error)
	},
) (*message.Message, error) {
	msg, err := event.Message()
	if err != nil {
		return nil, err
	}
	driver.InjectTrace(ctx, msg)
	return msg, outbox.Check(r.outbox, r.name, msg)
}

// modify reads an item and locks it until the commit. It stores its next state, which step makes of it, together with
// the event. If the body cannot be decoded, step gets the error.
func (r *Repository[T]) modify(
	ctx context.Context, id string, opts []cqrsfeed.ChangeOption, topic string,
	step func(item *cqrsfeed.Item[T], undecodable error) (event *message.Message, err error),
) (cqrsfeed.Item[T], error) {
	if err := cqrsfeed.ValidateID(id); err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	var item cqrsfeed.Item[T]
	err := r.change(ctx, func(tx *sqldb.Conn) error {
		current, undecodable, err := scanItem[T](tx.QueryRowContext(ctx, r.lock, id))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return cqrsfeed.ErrNotFound
		case err != nil:
			return fmt.Errorf("lock row: %w", err)
		case current.Deleted:
			return cqrsfeed.ErrNotFound
		}
		if err := driver.CheckVersion(current.Version, opts); err != nil {
			return err
		}
		event, err := step(&current, undecodable)
		if err != nil {
			return sqldb.Stop(err)
		}
		item = current
		_, err = tx.ExecContext(ctx, r.update, item.Version, string(item.Encoded), item.UpdatedAt.UnixMicro(), item.Deleted, id)
		if err != nil {
			return fmt.Errorf("update row: %w", err)
		}
		return outbox.Insert(ctx, r.outbox, tx, topic, event)
	})
	if err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	return item, nil
}
