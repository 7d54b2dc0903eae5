package readmodel

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/internal/config"
)

// RebuildConfig configures Rebuild.
type RebuildConfig[T any] struct {
	// Source is the write model. Required.
	Source Source[T]
	// Store is the read model, empty or in use. Required.
	Store Store[T]
	// FeedsOf names the feeds of an item, as in cqrsfeed.TagFeedsConfig. Defaults to the Store's own method FeedsOf, which
	// the model of a table projection has. Required for other stores.
	FeedsOf func(cqrsfeed.Item[T]) []string
	// RuleVersion is the version of FeedsOf, as in cqrsfeed.TagFeedsConfig. Defaults to 0.
	RuleVersion int64

	// Publisher and UpdatesTopic receive a FeedUpdated for every feed that may have changed, so that open pages
	// follow. They default to none, which is right for a store that nobody reads yet.
	Publisher    message.Publisher
	UpdatesTopic string

	// After is the id after which to begin. To continue a rebuild that was stopped, set it to After of its summary or of its
	// last Progress. Defaults to "", the beginning.
	After string
	// BatchSize is how many items are read and applied at once. Defaults to MaxPageLimit, which is also the most.
	BatchSize int
	// Workers is how many batches are applied concurrently. Defaults to 4.
	Workers int

	// Progress is called after each batch and each round that counted feeds. Optional.
	Progress func(RebuildSummary)
	// Refused is called with each item that can never be applied: FeedsOf panics or names an invalid feed, or the
	// store returns ErrInvalid. The item is withheld: it leaves its feeds. Refused is also called with an item whose body
	// cannot be decoded (UndecodableError), which is withheld if the store has an older version of it. By default an item
	// of the first kind ends the rebuild with an error, and those of the second kind are only counted.
	Refused func(item cqrsfeed.Item[T], reason error)
}

func (c *RebuildConfig[T]) setDefaults() {
	if own, ok := c.Store.(interface {
		FeedsOf(item cqrsfeed.Item[T]) []string
	}); ok && c.FeedsOf == nil {
		c.FeedsOf = own.FeedsOf
	}
	config.Default(&c.BatchSize, limits.MaxPageLimit)
	config.Default(&c.Workers, 4)
}

// Validate joins all problems of the configuration.
func (c RebuildConfig[T]) Validate() error {
	var problems config.Problems
	problems.Require(c.Source != nil, "Source")
	problems.Require(c.Store != nil, "Store")
	problems.Require(c.FeedsOf != nil, "FeedsOf")
	problems.Check((c.Publisher == nil) == (c.UpdatesTopic == ""), "Publisher and UpdatesTopic go together")
	config.Bounds(&problems, "BatchSize", c.BatchSize, "MaxPageLimit", limits.MaxPageLimit)
	config.NotNegative(&problems, "Workers", c.Workers)
	config.NotNegative(&problems, "RuleVersion", c.RuleVersion)
	return problems.Join()
}

// RebuildSummary counts what a rebuild did.
type RebuildSummary struct {
	// Items is how many items of the write model were read, and After is the id up to which all is done.
	Items int64
	After string
	// Refused is how many items were withheld, and Orphans how many unknown ones were removed.
	Refused, Orphans int64
	// Undecodable is how many items have bodies that this release cannot decode. In the store, another release has applied
	// their versions, or they are withheld.
	Undecodable int64
	// Recounted is how many feeds were counted at the end, in stores that defer counts. Until then feeds are counted every
	// second, as by a projector.
	Recounted int64
}

// Rebuild applies all items of the write model to a read model, tombstones included, and removes the items that the
// write model does not have. Events may flow meanwhile, through any number of projectors, and other rebuilds may
// run: each item ends in exactly the feeds of its highest version.
//
// Rebuild does not change an item that the store has in the right version by the same or a newer rule, unless it is withheld
// and accepted now. Audit compares such items. Rebuild removes an orphan, such as an item of a restored backup, only after it
// has read the write model again. So an item that is created meanwhile stays.
//
// A rebuild that was stopped or killed can be run again. Repetition changes nothing, and After saves time. Rebuild needs
// memory for Workers batches and for the names of the feeds that are counted at the end.
//
// Rebuild returns when all is done, ctx ends, or a step fails for good. The summary says how far it came. If a step
// panics, Rebuild panics with the same value. The log of slog.Default has the stack.
func Rebuild[T any](ctx context.Context, config RebuildConfig[T]) (RebuildSummary, error) {
	config.setDefaults()
	if err := config.Validate(); err != nil {
		return RebuildSummary{}, fmt.Errorf("rebuild config: %w", err)
	}
	r := &rebuild[T]{
		models: models[T]{
			source: config.Source, store: config.Store, feedsOf: config.FeedsOf, rule: config.RuleVersion,
			publisher: config.Publisher, topic: config.UpdatesTopic,
		},
		config:  config,
		summary: RebuildSummary{After: config.After},
	}
	if err := r.run(ctx); err != nil {
		return r.summary, fmt.Errorf("rebuild, done up to item %q: %w", r.summary.After, err)
	}
	return r.summary, nil
}
