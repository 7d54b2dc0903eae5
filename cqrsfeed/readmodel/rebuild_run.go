package readmodel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// rebuild is one Rebuild at work.
type rebuild[T any] struct {
	config    RebuildConfig[T]
	source    source[T]
	bulk      cqrsfeed.FeedStore[T] // what batches are applied through
	announcer *announcer
	orphans   *orphans[T] // nil where the store cannot show or remove them

	inspector   Inspector    // nil where the store is none
	checkpoints Checkpointer // nil where the store is none

	began    time.Time
	total    int64
	resumed  int64
	fresh    bool       // nothing was in the store when the rebuild began
	point    checkpoint // of the goroutine that called Rebuild
	refused  atomic.Int64
	orphaned atomic.Int64
	strays   int64

	phase          RebuildPhase
	copied         time.Duration // how long copying took, 0 while it goes on
	entries, feeds int64         // looked at, and counted, by the later phases
}

func newRebuild[T any](config RebuildConfig[T]) *rebuild[T] {
	r := &rebuild[T]{
		config:    config,
		source:    source[T]{config.Repository, config.FeedsOf, config.Attempts},
		bulk:      config.Store,
		announcer: newAnnouncer(config.Publisher, config.UpdatesTopic, config.Attempts),
		began:     time.Now(),
		phase:     RebuildCopying,
	}
	if store, ok := config.Store.(BulkStore[T]); ok {
		r.bulk = store.Bulk()
	}
	r.checkpoints, _ = config.Store.(Checkpointer)
	r.inspector, _ = config.Store.(Inspector)
	if repairer, ok := config.Store.(Repairer[T]); ok && r.inspector != nil {
		r.orphans = &orphans[T]{
			source: r.source, store: config.Store, inspector: r.inspector, repairer: repairer,
			announcer: r.announcer, attempts: config.Attempts,
		}
	}
	return r
}

// run takes the steps. Each may be taken again by a rebuild that goes on from the last checkpoint.
func (r *rebuild[T]) run(ctx context.Context) error {
	if err := r.resume(ctx); err != nil {
		return err
	}
	if counter, ok := r.config.Repository.(ItemCounter); ok {
		err := try(ctx, r.config.Attempts, func() (err error) {
			r.total, err = counter.CountItems(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("count the write model: %w", err)
		}
	}
	if err := r.copyItems(ctx); err != nil {
		return err
	}
	if err := r.removeStrays(ctx); err != nil {
		return err
	}
	if err := r.recount(ctx); err != nil {
		return err
	}
	return r.storeCheckpoint(ctx, "")
}

// batch is a range of ids and what the write model has in it.
type batch[T any] struct {
	after, until string // behind after, up to until; "" is no end
	items        []cqrsfeed.Item[T]
	done         chan struct{}
	err          error
}

// copyItems reads batches in order, has them processed beside each other, and notes them in order.
func (r *rebuild[T]) copyItems(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	work, order := make(chan *batch[T]), make(chan *batch[T], r.config.Workers)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()

	after := r.point.After
	running.Go(func() {
		defer close(order)
		defer close(work)
		r.read(ctx, after, work, order)
	})
	for range r.config.Workers {
		running.Go(func() {
			for b := range work {
				b.err = r.process(ctx, b)
				close(b.done)
			}
		})
	}
	for b := range order {
		<-b.done
		if err := cmp.Or(b.err, ctx.Err()); err != nil {
			return err
		}
		if err := r.note(ctx, b); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// read hands out all batches, until ctx ends or one cannot be read. The last has no items and no end.
func (r *rebuild[T]) read(ctx context.Context, after string, work, order chan<- *batch[T]) {
	send := func(to chan<- *batch[T], b *batch[T]) bool {
		select {
		case to <- b:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for {
		b := &batch[T]{after: after, done: make(chan struct{})}
		if b.items, b.err = r.source.scan(ctx, after, r.config.BatchSize); b.err != nil {
			close(b.done)
			send(order, b)
			return
		}
		if len(b.items) > 0 {
			after = b.items[len(b.items)-1].ID
			b.until = after
		}
		if !send(work, b) || !send(order, b) || len(b.items) == 0 {
			return
		}
	}
}

// process makes the store right for a range of ids.
func (r *rebuild[T]) process(ctx context.Context, b *batch[T]) error {
	changes, err := r.changes(b.items)
	if err != nil {
		return err
	}
	updated, err := r.apply(ctx, changes)
	if err != nil {
		return fmt.Errorf("apply %d items after %q: %w", len(changes), b.after, err)
	}
	if err := r.announcer.announce(ctx, updated); err != nil {
		return err
	}
	if r.orphans == nil || r.fresh {
		return nil
	}
	removed, err := r.orphans.sweep(ctx, b.after, b.until, b.items)
	r.orphaned.Add(removed)
	if err != nil {
		return fmt.Errorf("remove orphans after item %q: %w", b.after, err)
	}
	return nil
}

// changes works out the states of items, without those that are refused.
func (r *rebuild[T]) changes(items []cqrsfeed.Item[T]) ([]cqrsfeed.FeedChange[T], error) {
	changes := make([]cqrsfeed.FeedChange[T], 0, len(items))
	for _, item := range items {
		change, err := r.source.change(item)
		if err == nil {
			changes = append(changes, change)
			continue
		}
		if err := r.refuse(item, err); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

func (r *rebuild[T]) refuse(item cqrsfeed.Item[T], reason error) error {
	if r.config.Refused == nil {
		return fmt.Errorf("item %q version %d: %w", item.ID, item.Version, reason)
	}
	r.refused.Add(1)
	r.config.Refused(item, reason)
	return nil
}

// apply applies changes; when the store refuses the batch, each alone, to find which it refuses.
func (r *rebuild[T]) apply(ctx context.Context, changes []cqrsfeed.FeedChange[T]) (updated []cqrsfeed.FeedUpdated, err error) {
	if len(changes) == 0 {
		return nil, nil
	}
	err = try(ctx, r.config.Attempts, func() error {
		updated, err = r.bulk.Apply(ctx, changes)
		return err
	})
	if !errors.Is(err, cqrsfeed.ErrInvalid) {
		return updated, err
	}
	if len(changes) == 1 {
		return nil, r.refuse(changes[0].Item, err)
	}
	for i := range changes {
		alone, err := r.apply(ctx, changes[i:i+1])
		if err != nil {
			return nil, err
		}
		updated = append(updated, alone...)
	}
	return updated, nil
}

// note keeps on record that everything up to the end of a batch is done.
func (r *rebuild[T]) note(ctx context.Context, b *batch[T]) error {
	if len(b.items) == 0 {
		return nil
	}
	next := r.point
	next.After = b.until
	next.Items += int64(len(b.items))
	if err := r.saveCheckpoint(ctx, next); err != nil {
		return err
	}
	r.point = next
	r.report()
	return nil
}
