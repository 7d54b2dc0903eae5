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

// AuditConfig says what an audit compares, and what it does about the differences.
type AuditConfig[T any] struct {
	// Repository is the write model: a primary, not a lagging replica, which would have what is newer in the read
	// model taken for drifts, and taken back by Heal. Required.
	Repository cqrsfeed.Repository[T]
	// Store is the read model. It has to be a Inspector and, to heal, a Repairer. Required.
	Store cqrsfeed.FeedStore[T]
	// FeedsOf names the feeds that an item belongs to, as in TagFeedsConfig. Required.
	FeedsOf func(cqrsfeed.Item[T]) []string

	// Heal puts right what is found: items are applied anew, orphans and strays removed, feeds recounted.
	Heal bool
	// Drift is called with each drift that was found, when it was healed or left. Optional.
	Drift func(Drift)
	// Progress is called now and then with what was done so far. Optional.
	Progress func(AuditSummary)
	// Publisher and UpdatesTopic take a FeedUpdated for every feed that healing changed. Optional.
	Publisher    message.Publisher
	UpdatesTopic string

	// Moment is after which time what looks wrong is looked at again: longer than an event takes to be
	// applied, and longer than the projector's SweepInterval. Defaults to 3 seconds.
	Moment time.Duration
	// BatchSize is how many items are compared at once, at most MaxPageLimit / 2. Defaults to 500.
	BatchSize int
	// Attempts is how often a step is tried, as in RebuildConfig. Defaults to 8.
	Attempts int
}

func (c *AuditConfig[T]) setDefaults() {
	config.Default(&c.Moment, 3*time.Second)
	config.Default(&c.BatchSize, cqrsfeed.MaxPageLimit/2)
	config.Default(&c.Attempts, 8)
}

// Validate joins what is wrong with the configuration.
func (c AuditConfig[T]) Validate() error {
	var problems []error
	problem := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	_, inspector := c.Store.(Inspector)
	_, repairer := c.Store.(Repairer[T])
	problem(c.Repository == nil, "no Repository")
	problem(c.Store == nil, "no Store")
	problem(c.Store != nil && !inspector, "Store %T is no FeedInspector", c.Store)
	problem(c.Store != nil && c.Heal && !repairer, "Store %T is no FeedRepairer, it cannot be healed", c.Store)
	problem(c.FeedsOf == nil, "no FeedsOf")
	problem((c.Publisher == nil) != (c.UpdatesTopic == ""), "Publisher and UpdatesTopic go together")
	problem(c.Moment < 0, "Moment is %s, it must be positive", c.Moment)
	problem(c.BatchSize < 0 || c.BatchSize > cqrsfeed.MaxPageLimit/2, "BatchSize is %d, it must be 1 to %d", c.BatchSize, cqrsfeed.MaxPageLimit/2)
	problem(c.Attempts < 0, "Attempts is %d, it must be positive", c.Attempts)
	return errors.Join(problems...)
}

// AuditSummary is what an audit did.
type AuditSummary struct {
	// Items, Entries and Feeds are how many were looked at.
	Items, Entries, Feeds int64
	// Drifts is how many differences were found, and Healed how many of those were put right.
	Drifts, Healed int64
	// Unsettled is how many things looked wrong but changed at every look, so that it cannot be said.
	Unsettled int64
}

// Remaining is how many drifts are left.
func (s AuditSummary) Remaining() int64 { return s.Drifts - s.Healed }

// Audit compares a read model with the write model: every item's version and feeds, the content of each of
// its entries, items and entries that nobody accounts for, and the counts of all feeds. It may run while
// events flow. What looks wrong is looked at again after a Moment, and is a drift only when the write model
// did not change it meanwhile and it looks wrong still; an event that is late by more than that shows as a
// drift too, because the read model is behind.
//
// It reads both models in order, and needs memory for a few batches, however large they are. With Heal it
// changes only what is as it was seen, so that it does no harm to what is applied beside it. That goes for
// events of any number of projectors with the same FeedsOf; with another FeedsOf they and the audit would
// undo each other's work.
//
// An error means that it could not come to an end, for instance because ctx ended. That there are drifts is
// no error: the summary says so.
func Audit[T any](ctx context.Context, config AuditConfig[T]) (AuditSummary, error) {
	config.setDefaults()
	if err := config.Validate(); err != nil {
		return AuditSummary{}, fmt.Errorf("audit config: %w", err)
	}
	a, err := newAudit(config)
	if err != nil {
		return AuditSummary{}, err
	}
	a.seen = a.checkUnlisted
	for _, check := range []struct {
		what string
		run  func(context.Context) error
	}{
		{"items", a.checkItems},
		{"entries", a.checkStrays},
		{"counts", a.checkCounts},
	} {
		if err := check.run(ctx); err != nil {
			return a.summary, fmt.Errorf("audit %s: %w", check.what, err)
		}
	}
	return a.summary, nil
}

// audit is one Audit at work, in one goroutine.
type audit[T any] struct {
	config    AuditConfig[T]
	source    source[T]
	inspector Inspector
	repairer  Repairer[T] // nil where the store is none
	announcer *announcer
	summary   AuditSummary
	// seen is called with the places of entries as they are read; nil for nothing.
	seen func(context.Context, []Place) error

	items  *secondLook[itemSuspect]
	strays *secondLook[StoredEntry]
	counts *secondLook[StoredCount]
}

func newAudit[T any](config AuditConfig[T]) (*audit[T], error) {
	inspector, ok := config.Store.(Inspector)
	if !ok {
		return nil, fmt.Errorf("%w: store %T is no FeedInspector", cqrsfeed.ErrInvalid, config.Store)
	}
	repairer, _ := config.Store.(Repairer[T])
	a := &audit[T]{
		config:    config,
		source:    source[T]{config.Repository, config.FeedsOf, config.Attempts},
		inspector: inspector,
		repairer:  repairer,
		announcer: newAnnouncer(config.Publisher, config.UpdatesTopic, config.Attempts),
	}
	a.items = newSecondLook(config.Moment, a.lookAtItems)
	a.strays = newSecondLook(config.Moment, a.lookAtStrays)
	a.counts = newSecondLook(config.Moment, a.lookAtCounts)
	return a, nil
}

// try repeats a step of the audit that failed.
func (a *audit[T]) try(ctx context.Context, step func() error) error {
	return try(ctx, a.config.Attempts, step)
}

// report counts and tells a drift.
func (a *audit[T]) report(drift Drift) {
	a.summary.Drifts++
	if drift.Healed {
		a.summary.Healed++
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
