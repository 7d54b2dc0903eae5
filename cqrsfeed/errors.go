package cqrsfeed

import "errors"

// The errors that callers branch on. Stores wrap them with what was being done and to what; test for them
// with errors.Is, and never for a driver's own errors.
var (
	// ErrExists is returned by Create when an item with that id exists, or existed and was deleted.
	ErrExists = errors.New("item exists already")

	// ErrNotFound is returned when there is no item with that id, or it was deleted.
	ErrNotFound = errors.New("item not found")

	// ErrConflict is returned by a change with IfVersion when the item has another version.
	ErrConflict = errors.New("item has another version")

	// ErrInvalid is returned for ids, feed names and arguments that break a stated rule. Nothing was changed.
	ErrInvalid = errors.New("invalid argument")

	// ErrBadCursor is returned by Page for a cursor that no Page call gave out.
	ErrBadCursor = errors.New("bad cursor")

	// ErrBadToken is returned by ParseToken for a text that no Token's String gave.
	ErrBadToken = errors.New("bad token")

	// ErrUnknownOutcome is returned when the connection was lost while a transaction was being committed:
	// the change is either whole (with its event) or absent, and only a read can tell which.
	ErrUnknownOutcome = errors.New("outcome unknown")
)
