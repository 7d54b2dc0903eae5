package readmodel

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/internal/backoff"
	"github.com/feedmill/feedmill/internal/config"
)

// AuditConfig configures Audit.
type AuditConfig[T any] struct {
	// Source is the write model. It must read from a primary. If it reads from a replica that lags behind, newer states in
	// the read model are drifts, and Repair reverts them. Required.
	Source Source[T]
	// Store is the read model. Required.
	Store Store[T]
	// FeedsOf names the feeds of an item, as in cqrsfeed.TagFeedsConfig. Defaults to the Store's own method FeedsOf, which
	// the model of a table projection has. Required for other stores.
	FeedsOf func(cqrsfeed.Item[T]) []string
	// RuleVersion is the version of FeedsOf, as in cqrsfeed.TagFeedsConfig. Defaults to 0.
	RuleVersion int64

	// Repair corrects what is found: items are restated, orphans removed, feeds recounted.
	Repair bool
	// Publisher and UpdatesTopic receive a FeedUpdated for every feed that a repair changed. Default to announcing
	// nothing.
	Publisher    message.Publisher
	UpdatesTopic string

	// RecheckDelay is how long Audit waits before it checks suspected drifts again. It must be longer than an event
	// takes to be applied and than the projector's SweepInterval. Defaults to 3 seconds.
	RecheckDelay time.Duration
	// BatchSize is how many items of each model are read at once, at most MaxPageLimit. Defaults to 500.
	BatchSize int

	// Drift is called with each drift, after its repair. Optional.
	Drift func(Drift)
	// Progress is called after each batch. Optional.
	Progress func(AuditSummary)
}

func (c *AuditConfig[T]) setDefaults() {
	if own, ok := c.Store.(interface {
		FeedsOf(item cqrsfeed.Item[T]) []string
	}); ok && c.FeedsOf == nil {
		c.FeedsOf = own.FeedsOf
	}
	config.Default(&c.RecheckDelay, 3*time.Second)
	config.Default(&c.BatchSize, limits.MaxPageLimit/2)
}

// Validate joins all problems of the configuration.
func (c AuditConfig[T]) Validate() error {
	var problems config.Problems
	problems.Require(c.Source != nil, "Source")
	problems.Require(c.Store != nil, "Store")
	problems.Require(c.FeedsOf != nil, "FeedsOf")
	problems.Check((c.Publisher == nil) == (c.UpdatesTopic == ""), "Publisher and UpdatesTopic go together")
	config.NotNegative(&problems, "RecheckDelay", c.RecheckDelay)
	config.Bounds(&problems, "BatchSize", c.BatchSize, "MaxPageLimit", limits.MaxPageLimit)
	config.NotNegative(&problems, "RuleVersion", c.RuleVersion)
	return problems.Join()
}

// AuditSummary is what an audit found.
type AuditSummary struct {
	// Items and Feeds are how many were compared.
	Items, Feeds int64
	// Drifts is how many differences were found, and Repaired how many of them were corrected.
	Drifts, Repaired int64
	// Unsettled is how many items and feeds differed at both checks but changed in between. They may be right.
	Unsettled int64
}

// Remaining returns how many drifts are left.
func (s AuditSummary) Remaining() int64 { return s.Drifts - s.Repaired }

// Audit compares a read model with the write model: each item's version, feeds and content, items that only one of them
// has, and the counts of all feeds. Events may flow meanwhile.
//
// It reads both models once, in order, and remembers the differences. After RecheckDelay it reads these items and feeds again.
// A difference is a drift if it is still there and the write model did not change meanwhile. An event that is late by more
// than the delay causes a drift too.
//
// Repair changes only what is still as Audit read it, so it does not undo what is applied meanwhile. Audit and the projectors
// must use one FeedsOf. Otherwise each undoes the work of the other.
//
// Audit needs memory for two batches, for the names of all feeds, and for the ids that differ. Finding drift is not an
// error. An error means that the audit is incomplete.
func Audit[T any](ctx context.Context, config AuditConfig[T]) (AuditSummary, error) {
	config.setDefaults()
	if err := config.Validate(); err != nil {
		return AuditSummary{}, fmt.Errorf("audit config: %w", err)
	}
	a := &audit[T]{
		models: models[T]{
			source: config.Source, store: config.Store, feedsOf: config.FeedsOf, rule: config.RuleVersion,
			publisher: config.Publisher, topic: config.UpdatesTopic,
		},
		config: config,
		feeds:  make(map[string]bool),
	}
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"items", a.checkItems},
		{"counts", a.checkCounts},
		{"wait", a.wait},
		{"items again", a.recheckItems},
		{"counts again", a.recheckCounts},
	} {
		if err := step.run(ctx); err != nil {
			return a.summary, fmt.Errorf("audit %s: %w", step.name, err)
		}
	}
	return a.summary, nil
}

// audit is one call of Audit.
type audit[T any] struct {
	models[T]

	config  AuditConfig[T]
	summary AuditSummary

	feeds  map[string]bool // the names of all feeds
	items  []suspects      // that differ, by section
	counts []StoredCount   // that differ
	count  time.Time       // when feeds are counted next
}

// wait waits for RecheckDelay if there is something to check again.
func (a *audit[T]) wait(ctx context.Context) error {
	if len(a.items)+len(a.counts) > 0 && !backoff.Sleep(ctx, a.config.RecheckDelay) {
		return ctx.Err()
	}
	return nil
}

func (a *audit[T]) report(drift Drift) {
	a.summary.Drifts++
	if drift.Repaired {
		a.summary.Repaired++
	}
	if a.config.Drift != nil {
		a.config.Drift(drift)
	}
}

func (a *audit[T]) progress() {
	if a.config.Progress != nil {
		a.config.Progress(a.summary)
	}
}
