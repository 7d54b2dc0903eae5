package cqrsfeed

import (
	"context"
	"fmt"
	"slices"
)

// Repository is the write model: versioned items. Each change puts its event into an outbox in the same transaction.
// A change that returned nil is durable together with its event. A change that returned an error stored nothing,
// except that after ErrUnknownOutcome it may have.
//
// All methods are safe for concurrent use. Changes of one item are serial. The trace of a change's context is
// written into the metadata of its event (W3C traceparent).
type Repository[T any] interface {
	// Create stores body as version 1 of a new item and puts ItemCreated into the outbox.
	// It returns ErrExists if the id is taken, also by a deleted item, and ErrInvalid for a bad id.
	Create(ctx context.Context, id string, body T) (Item[T], error)

	// Update calls change with the current body, stores the result as the next version, and puts ItemUpdated into
	// the outbox. If change returns an error, Update returns it, wrapped, and stores nothing. The store may retry,
	// so change may be called again with a fresh body. It runs within the transaction: it must not use the store,
	// nor wait for anything that does.
	// Update returns ErrNotFound for an unknown or deleted item, and ErrConflict if IfVersion does not hold.
	Update(ctx context.Context, id string, change func(body *T) error, opts ...ChangeOption) (Item[T], error)

	// Delete stores a tombstone as the next version and puts ItemDeleted into the outbox.
	// Its errors are those of Update.
	Delete(ctx context.Context, id string, opts ...ChangeOption) (Item[T], error)

	// Get returns the item, or ErrNotFound if it is unknown or deleted.
	Get(ctx context.Context, id string) (Item[T], error)

	// Scan returns up to limit items with ids greater than after, in the byte order of their ids, including
	// tombstones. Repeated with the last id of each result, starting from "", it visits every item. Items that are
	// changed meanwhile are returned in their old or their new state. A limit that is not positive stands for
	// DefaultPageLimit, and one above MaxPageLimit for that.
	Scan(ctx context.Context, after string, limit int) ([]Item[T], error)
}

// ChangeOption is a condition of one Update or Delete.
type ChangeOption func(*ChangeConditions)

// ChangeConditions is what the options of a change add up to.
type ChangeConditions struct {
	// Versions are those that the item may have. Empty stands for any.
	Versions []int64
}

// Check returns ErrConflict unless an item of this version may be changed.
func (c ChangeConditions) Check(version int64) error {
	if len(c.Versions) == 0 || slices.Contains(c.Versions, version) {
		return nil
	}
	return fmt.Errorf("%w: it is %d", ErrConflict, version)
}

// IfVersion makes a change fail with ErrConflict unless the item has this version, so that nobody overwrites what
// somebody else has changed meanwhile. Given several times, the item must have one of the versions.
func IfVersion(version int64) ChangeOption {
	return func(c *ChangeConditions) { c.Versions = append(c.Versions, version) }
}
