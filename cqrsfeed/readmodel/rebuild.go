package readmodel

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/config"
)

// RebuildConfig configures Rebuild.
type RebuildConfig[T any] struct {
	// Source is the write model. Required.
	Source Source[T]
	// Store is the read model, empty or in use. Required.
	Store Store[T]
	// FeedsOf names the feeds of an item, as in cqrsfeed.TagFeedsConfig. Required.
	FeedsOf func(cqrsfeed.Item[T]) []string

	// Publisher and UpdatesTopic receive a FeedUpdated for every feed that may have changed, so that open pages
	// follow. Default to announcing nothing, which is right for a store that nobody reads yet.
	Publisher    message.Publisher
	UpdatesTopic string

	// After is the id to begin after. A rebuild that was stopped can go on after the id that its summary or its last
	// Progress had. Defaults to "", the beginning.
	After string
	// BatchSize is how many items are read and applied at once. Defaults to MaxPageLimit, which is also the most.
	BatchSize int
	// Workers is how many batches are applied concurrently. Defaults to 4.
	Workers int
	// Attempts is how often a step is tried that fails, with a growing wait of up to two seconds in between.
	// Defaults to 8, which outlasts some seconds.
	Attempts int

	// Progress is called after each batch and each round of counting. Optional.
	Progress func(RebuildSummary)
	// Refused is called with each item that can never be applied: FeedsOf panics or names an invalid feed, or the
	// store returns ErrInvalid. The item is left out. Defaults to ending the rebuild with an error.
	Refused func(item cqrsfeed.Item[T], reason error)
}

func (c *RebuildConfig[T]) setDefaults() {
	config.Default(&c.BatchSize, cqrsfeed.MaxPageLimit)
	config.Default(&c.Workers, 4)
	config.Default(&c.Attempts, 8)
}

// Validate joins all problems of the configuration.
func (c RebuildConfig[T]) Validate() error {
	var problems config.Problems
	problems.Require(c.Source != nil, "Source")
	problems.Require(c.Store != nil, "Store")
	problems.Require(c.FeedsOf != nil, "FeedsOf")
	problems.Check((c.Publisher == nil) == (c.UpdatesTopic == ""), "Publisher and UpdatesTopic go together")
	config.Bounds(&problems, "BatchSize", c.BatchSize, "MaxPageLimit", cqrsfeed.MaxPageLimit)
	config.NotNegative(&problems, "Workers", c.Workers)
	config.NotNegative(&problems, "Attempts", c.Attempts)
	return problems.Join()
}

// RebuildSummary is what a rebuild has done.
type RebuildSummary struct {
	// Items is how many items of the write model were read, and After is the id up to which all is done.
	Items int64
	After string
	// Refused is how many items were left out, and Orphans how many unknown ones were removed.
	Refused, Orphans int64
	// Recounted is how many feeds were counted at the end, in stores that defer counts.
	Recounted int64
}

// Rebuild applies all items of the write model to a read model, tombstones included, and removes the items that the
// write model does not have. Events may flow meanwhile, through any number of projectors, and other rebuilds may
// run: each item ends in exactly the feeds of its highest version.
//
// Rebuild does not change items that the store has in the right version; Audit compares those. An orphan, such as an
// item of a restored backup, is removed only after the write model was read again, so an item that is created
// meanwhile stays.
//
// A rebuild that was stopped or killed can simply be run again, as repetition changes nothing. After saves the time.
// It needs memory for Workers batches and for the names of the feeds that are counted at the end.
//
// Rebuild returns when all is done, ctx ends, or a step fails for good. The summary then has how far it came.
func Rebuild[T any](ctx context.Context, config RebuildConfig[T]) (RebuildSummary, error) {
	config.setDefaults()
	if err := config.Validate(); err != nil {
		return RebuildSummary{}, fmt.Errorf("rebuild config: %w", err)
	}
	r := &rebuild[T]{
		models: models[T]{
			source: config.Source, store: config.Store, feedsOf: config.FeedsOf,
			publisher: config.Publisher, topic: config.UpdatesTopic, attempts: config.Attempts,
		},
		config:  config,
		summary: RebuildSummary{After: config.After},
	}
	if err := r.run(ctx); err != nil {
		return r.summary, fmt.Errorf("rebuild, everything up to item %q is done: %w", r.summary.After, err)
	}
	return r.summary, nil
}
