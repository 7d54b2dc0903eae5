package repository

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/outbox"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// erasedBody is the body in the row of an erased item.
const erasedBody = "null"

// Erase implements cqrsfeed.Repository. It waits for relays that publish events of the item: by the locks of the rows,
// or, if rows cannot be locked, for the relays of this process.
func (r *Repository[T]) Erase(ctx context.Context, id string) (item cqrsfeed.Item[T], err error) {
	defer func() { err = r.wrap("erase", id, err) }()
	if err := cqrsfeed.ValidateID(id); err != nil {
		return item, err
	}
	leave, err := outbox.HoldDrains(ctx, r.outbox)
	if err != nil {
		return item, err
	}
	defer leave()
	// Like a Drain, it must see rows that others commit meanwhile, and lock only the rows that it changes.
	err = r.database.Begin(ctx, r.database.Dialect.BeginDrain, func(tx *sqldb.Conn) error {
		item, _, err = scanItem[T](tx.QueryRowContext(ctx, r.lock, id)) // a body that does not decode may be why
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return cqrsfeed.ErrNotFound
		case err != nil:
			return fmt.Errorf("lock row: %w", err)
		}
		erased := item.Deleted && string(item.Encoded) == erasedBody
		next := item.Version + 1
		if erased {
			next = item.Version // its event may wait, and has no body
		}
		// The lock keeps others from adding events of the item.
		if err := outbox.RemoveEventsOf(ctx, r.outbox, tx, r.topics.Of(id), id, next); err != nil || erased {
			return err
		}
		var none T
		item.Deleted, item.Body, item.Encoded = true, none, json.RawMessage(erasedBody)
		advance(&item)
		_, err := tx.ExecContext(ctx, r.update, item.Version, erasedBody, item.UpdatedAt.UnixMicro(), true, id)
		if err != nil {
			return fmt.Errorf("update row: %w", err)
		}
		event, err := r.newEvent(ctx, cqrsfeed.ItemDeleted[T]{Item: item})
		if err != nil {
			return sqldb.Stop(err)
		}
		return outbox.Insert(ctx, r.outbox, tx, r.topics.Of(id).Deleted, event)
	})
	if err == nil || errors.Is(err, cqrsfeed.ErrUnknownOutcome) {
		r.outbox.Committed()
	}
	if err != nil {
		return cqrsfeed.Item[T]{}, err
	}
	return item, nil
}

// RemoveTombstones implements readmodel.TombstoneSource.
func (r *Repository[T]) RemoveTombstones(ctx context.Context, before time.Time, ids ...string) (removed int64, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	args := append([]any{before.UnixMicro()}, sqldb.Args(ids)...)
	err = r.change(ctx, func(tx *sqldb.Conn) error {
		result, err := tx.ExecContext(ctx, r.removeTombstones+"("+sqldb.Commas("?", len(ids))+")", args...)
		if err != nil {
			return err
		}
		removed, err = result.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("%s: remove %d tombstones of %s: %w", r.database.Dialect.Name, len(ids), r.name, err)
	}
	return removed, nil
}
