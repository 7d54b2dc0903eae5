package cqrsfeed

import (
	"context"
	"iter"
)

// Importer is an optional interface of a Repository. It stores items that exist elsewhere, such as the rows of an application
// that begins to use the repository.
type Importer[T any] interface {
	// Import stores the items as version 1, with their own ID, Body, CreatedAt and UpdatedAt; UpdatedAt defaults to CreatedAt.
	// It reads items once and stores them in batches, one transaction each. A writer waits for one batch at most.
	// A deleted item is stored without its body, as after Erase. Any other body is stored as it was written, if Encoded has
	// it, with the fields that T does not know. If Body was changed since, it is encoded anew: see Settle.
	//
	// Import puts no events into the outbox. Rebuild the read models afterwards; feeds sort the items by CreatedAt. A read
	// model that has higher versions of the items, from the repository that they come from, needs Audit with Repair
	// instead. Later changes of the items are projected by their events as usual.
	//
	// Import skips an item whose id is taken, also by a deleted item. So the same call continues an import that was stopped.
	// It calls refused, with the reason, for an item that Create would refuse or that has no CreatedAt, and goes on. An
	// error of items, of the store or of ctx ends it. The summary counts what was done until then; after ErrUnknownOutcome
	// one more batch may be stored.
	Import(ctx context.Context, items iter.Seq2[Item[T], error], refused func(item Item[T], reason error)) (ImportSummary, error)
}

// ImportSummary counts the items of an import.
type ImportSummary struct {
	// Stored is how many items are new.
	Stored int64
	// Passed is how many items were skipped because their ids are taken.
	Passed int64
	// Refused is how many items were refused.
	Refused int64
}
