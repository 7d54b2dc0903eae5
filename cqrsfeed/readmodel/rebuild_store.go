package readmodel

import (
	"context"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Checkpointer is the optional power of a FeedStore to remember how far a rebuild of it came. That is kept
// in the store rather than beside it, so that it goes when the store is emptied or restored.
type Checkpointer interface {
	// SaveCheckpoint remembers a value under a name, in place of the one before. The value "" forgets it.
	SaveCheckpoint(ctx context.Context, name, value string) error
	// LoadCheckpoint returns the value that was saved last under the name, "" when there is none.
	LoadCheckpoint(ctx context.Context, name string) (string, error)
}

// BulkStore is the optional power of a FeedStore to do less with each Apply when very many follow.
type BulkStore[T any] interface {
	// Bulk returns the same store in a form that leaves all counts to Recount. What is applied through it
	// keeps the contract of Apply in everything else.
	Bulk() cqrsfeed.FeedStore[T]
}

// ItemCounter is the optional power of a Repository to say how many items Scan would visit.
type ItemCounter interface {
	// CountItems counts all items, tombstones included. It may take long on large tables.
	CountItems(ctx context.Context) (int64, error)
}
