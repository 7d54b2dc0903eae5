package readmodel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/config"
)

// RebuildConfig says what a read model is made from, and how.
type RebuildConfig[T any] struct {
	// Repository is the write model. If it is an ItemCounter, progress knows the total. Required.
	Repository cqrsfeed.Repository[T]
	// Store is the read model, empty or in use. Required.
	Store cqrsfeed.FeedStore[T]
	// FeedsOf names the feeds that an item belongs to, as in TagFeedsConfig. Required.
	FeedsOf func(cqrsfeed.Item[T]) []string

	// Publisher and UpdatesTopic take a FeedUpdated for every feed that may have changed, so that open pages
	// follow; a feed whose revision was announced already is not announced again. Without a Publisher
	// nothing is announced, which is right for a store that nobody reads yet.
	Publisher    message.Publisher
	UpdatesTopic string

	// Restart begins with the first item although an earlier rebuild of the store left a checkpoint, as it has
	// to after the store was restored from a backup, which may hold one.
	Restart bool
	// BatchSize is how many items are read and applied at once, at most MaxPageLimit, which it defaults to.
	BatchSize int
	// Workers is how many batches are applied beside each other. Defaults to 4.
	Workers int
	// Progress is called after every batch whose predecessors are done too, at the beginning of each later
	// phase and now and then in it, by the goroutine that called Rebuild. Optional.
	Progress func(RebuildProgress)
	// Refused is called with an item that can never be applied, because FeedsOf names an impossible feed for
	// it, panics, or the store refuses it with ErrInvalid; the item is then left out. It must be safe for
	// concurrent use. By default such an item ends the rebuild.
	Refused func(item cqrsfeed.Item[T], reason error)
	// Attempts is how often a step is tried while the write model, the store or the publisher fails, with
	// a growing wait of up to two seconds in between. Defaults to 8, which outlasts some seconds.
	Attempts int
}

func (c *RebuildConfig[T]) setDefaults() {
	config.Default(&c.BatchSize, cqrsfeed.MaxPageLimit)
	config.Default(&c.Workers, 4)
	config.Default(&c.Attempts, 8)
}

// Validate joins what is wrong with the configuration.
func (c RebuildConfig[T]) Validate() error {
	var problems []error
	problem := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	problem(c.Repository == nil, "no Repository")
	problem(c.Store == nil, "no Store")
	problem(c.FeedsOf == nil, "no FeedsOf")
	problem((c.Publisher == nil) != (c.UpdatesTopic == ""), "Publisher and UpdatesTopic go together")
	problem(c.BatchSize < 0 || c.BatchSize > cqrsfeed.MaxPageLimit, "BatchSize is %d, it must be 1 to %d", c.BatchSize, cqrsfeed.MaxPageLimit)
	problem(c.Workers < 0, "Workers is %d, it must be positive", c.Workers)
	problem(c.Attempts < 0, "Attempts is %d, it must be positive", c.Attempts)
	return errors.Join(problems...)
}

// RebuildPhase is what a rebuild is at. Phases come in this order; one that has nothing to do is left out.
type RebuildPhase string

// The phases of a rebuild.
const (
	// RebuildCopying is applying the items of the write model, and removing those that it does not know.
	RebuildCopying RebuildPhase = "copying"
	// RebuildStrays is going through all entries for those that belong to no item. A store that was empty at
	// the start can have none.
	RebuildStrays RebuildPhase = "strays"
	// RebuildRecounting is counting the feeds of a store that is a Recounter.
	RebuildRecounting RebuildPhase = "recounting"
)

// RebuildProgress is how far a rebuild is.
type RebuildProgress struct {
	// Phase is what it is at. Behind RebuildCopying all items are done.
	Phase RebuildPhase
	// Items is how many items are done, those before the checkpoint that it went on from included, and
	// Resumed is how many those are.
	Items, Resumed int64
	// Total is how many items there were at the start, 0 when the repository cannot say.
	Total int64
	// After is the last id up to which everything is done.
	After string
	// Elapsed is the time since this call began, and Rate the items a second while it copied.
	Elapsed time.Duration
	Rate    float64
	// Entries is how many entries were looked at for strays, and Feeds how many feeds were counted anew.
	Entries, Feeds int64
}

// RebuildSummary is what a rebuild did.
type RebuildSummary struct {
	RebuildProgress

	// Refused is how many items could not be applied.
	Refused int64
	// Orphans is how many items were removed that the write model does not know, and Strays how many
	// single entries that belong to no state of any item.
	Orphans, Strays int64
}

// Rebuild brings everything that the write model has into a read model, tombstones included, and removes
// what the write model does not know. Events may flow beside it, through any number of projectors, and other
// rebuilds may run: whatever is applied in whatever order, in the end each item is in exactly the feeds of
// its highest version.
//
// An empty store is filled as fast as it takes batches. In a store that is in use, versions that it has
// already are left as they are, which Audit looks into; orphans, such as rows of a restored backup, are
// removed if the store is a Inspector and a Repairer. Whether an item is one is decided by what
// the write model says at that moment, and asked again once it is gone: an item that is created meanwhile
// stays.
//
// A store that is a Checkpointer remembers how far its rebuild came: after a kill the next call goes on
// from there, and does at most Workers + 2 batches a second time; a kill in a later phase has the later phases
// done again. A checkpoint counts for a day; after that, or with Restart, which forgets it at once, a rebuild
// begins anew. One that came to its end leaves none. What a kill leaves removed or counted and not announced
// is not found again: pages see that when they load next.
//
// It returns when all is done, when ctx ends, or when a step fails for good; the error then says behind which
// item that was, and the summary how far it came. It leaves no goroutine.
func Rebuild[T any](ctx context.Context, config RebuildConfig[T]) (RebuildSummary, error) {
	config.setDefaults()
	if err := config.Validate(); err != nil {
		return RebuildSummary{}, fmt.Errorf("rebuild config: %w", err)
	}
	r := newRebuild(config)
	if err := r.run(ctx); err != nil {
		return r.summary(), fmt.Errorf("rebuild, everything up to item %q is done: %w", r.point.After, err)
	}
	return r.summary(), nil
}
