package cqrsfeed

import "context"

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
	// the outbox. If change returns an error, Update wraps it and stores nothing. The store may retry and call change
	// again with a fresh body. change runs within the transaction: it must not use the store, nor wait for anything
	// that does.
	//
	// What change does not touch stays as it was, including fields that T does not know and the digits of numbers. An
	// element of an array is kept only whole: if it changes, it is stored as T encodes it.
	//
	// Update returns ErrNotFound for an unknown or deleted item, ErrConflict if IfVersion does not hold, and an
	// UndecodableError if the body cannot be decoded.
	Update(ctx context.Context, id string, change func(body *T) error, opts ...ChangeOption) (Item[T], error)

	// Delete stores a tombstone as the next version and puts ItemDeleted into the outbox. The body stays as it was,
	// even if it cannot be decoded. The other errors are those of Update.
	Delete(ctx context.Context, id string, opts ...ChangeOption) (Item[T], error)

	// Erase removes the body of an item, of all versions, from the repository and from its outbox. Events of the item that
	// wait or are parked are removed. The next version is a tombstone without a body, also of a deleted item. Erase puts
	// ItemDeleted with it into the outbox, so that read models remove the body too. A late event of an older version does
	// not restore it. Erase of an erased item changes nothing and returns its tombstone. The id stays taken until
	// readmodel.Purge removes the tombstone.
	//
	// Erase waits while a relay publishes events of the item. Code that the relay publishes to must not call it. It returns
	// ErrNotFound for an unknown item. The broker still has what was published before; docs/erasure.md lists other copies.
	Erase(ctx context.Context, id string) (Item[T], error)

	Reader[T]
}

// Reader is the part of a Repository that reads.
type Reader[T any] interface {
	// Get returns the item, ErrNotFound if it is unknown or deleted, or an UndecodableError.
	Get(ctx context.Context, id string) (Item[T], error)

	// Scan returns up to limit items with ids greater than after, in the byte order of their ids, including
	// tombstones. Repeated with the last id of each result, starting from "", it visits every item. An item that is
	// changed meanwhile is returned in its old or its new state. A limit of 0 or less is limits.DefaultPageLimit; limits.MaxPageLimit is
	// the most. Scan returns fewer items when their bodies reach limits.MaxBatchBytes together. Only an empty result is the end.
	//
	// Scan leaves out an item whose body cannot be decoded, unless it is a tombstone. It counts towards the limit. The other
	// items are returned beside an error whose tree has an UndecodableError for each item left out (driver.Undecodable).
	// The last id may be that of one of these. Any other failure returns no items and no UndecodableError.
	Scan(ctx context.Context, after string, limit int) ([]Item[T], error)
}

// ChangeOption is a condition of one Update or Delete.
type ChangeOption struct {
	// Version is a version that the item may have.
	Version int64
}

// IfVersion makes a change fail with ErrConflict unless the item has this version, so that it does not overwrite a change of
// somebody else. Given several times, the item must have one of the versions.
func IfVersion(version int64) ChangeOption { return ChangeOption{version} }
