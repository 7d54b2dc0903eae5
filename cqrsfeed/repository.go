package cqrsfeed

import "context"

// Repository is the write model: versioned items, each change of which puts its event into an outbox in the
// same transaction. A change that returned nil is durable together with its event; one that returned an
// error changed nothing, except that ErrUnknownOutcome leaves either.
//
// All methods are safe for concurrent use. Changes of one item are serial. The trace that a change's context is part
// of is in the metadata of its event, as W3C has it (traceparent).
type Repository[T any] interface {
	// Create stores body as version 1 of a new item and puts ItemCreated into the outbox.
	// It returns ErrExists when the id is taken, also by a deleted item, and ErrInvalid for a bad id.
	Create(ctx context.Context, id string, body T) (Item[T], error)

	// Update calls change with the current body, stores what it left as the next version, and puts
	// ItemUpdated into the outbox. An error of change is returned (wrapped) and nothing is stored.
	// change may be called more than once when the store has to retry, each time with a fresh body. It runs
	// within the store's transaction: it must not use the store, nor wait for anything that does.
	// It returns ErrNotFound for an unknown or deleted item and ErrConflict where IfVersion does not hold.
	Update(ctx context.Context, id string, change func(body *T) error, opts ...ChangeOption) (Item[T], error)

	// Delete leaves a tombstone with the next version and puts ItemDeleted into the outbox.
	// Errors are those of Update.
	Delete(ctx context.Context, id string, opts ...ChangeOption) (Item[T], error)

	// Get returns the item, or ErrNotFound when it is unknown or deleted.
	Get(ctx context.Context, id string) (Item[T], error)

	// Scan returns up to limit items with ids greater than after, in the byte order of their ids,
	// tombstones included: with after = "" and then the last id of each answer it visits every item.
	// Items changed meanwhile are returned in their old or their new state. Limits are those of PageLimit.
	Scan(ctx context.Context, after string, limit int) ([]Item[T], error)
}

// ChangeOption is a condition on one Update or Delete.
type ChangeOption func(*ChangeConditions)

// ChangeConditions is what a store reads of the options it was called with.
type ChangeConditions struct {
	// Version is the version that the item must have; 0 means any.
	Version int64
}

// IfVersion makes a change fail with ErrConflict unless the item has exactly this version: the guard
// against a lost update when somebody edits what somebody else changed meanwhile.
func IfVersion(version int64) ChangeOption {
	return func(c *ChangeConditions) { c.Version = version }
}
