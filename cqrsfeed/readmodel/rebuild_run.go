package readmodel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/panics"
)

// rebuild is one call of Rebuild.
type rebuild[T any] struct {
	models[T]

	config  RebuildConfig[T]
	summary RebuildSummary // of the goroutine that called Rebuild
	count   time.Time      // when feeds are counted next
}

// batch is a section on its way through a worker.
type batch[T any] struct {
	section[T]

	refused []refusal[T]
	orphans int
	err     error
	raised  *panics.Raised
	done    chan struct{} // closed when the fields above are final
}

// refusal is an item that can never be applied.
type refusal[T any] struct {
	item   cqrsfeed.Item[T]
	reason error
}

func (r *rebuild[T]) run(ctx context.Context) error {
	if err := r.copyItems(ctx); err != nil {
		return err
	}
	return r.recount(ctx, func(feeds int) {
		r.summary.Recounted = int64(feeds)
		r.progress()
	})
}

// copyItems processes batches concurrently and completes them in order. It raises the panic of a batch.
func (r *rebuild[T]) copyItems(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()

	started := make(chan *batch[T], r.config.Workers-1) // and one that the receiver waits for
	after := r.config.After
	running.Go(func() {
		defer close(started)
		for more := true; more; {
			b := &batch[T]{done: make(chan struct{})}
			b.raised = panics.Aside(func() { b.section, b.err = r.next(ctx, after, r.config.BatchSize) })
			after, more = b.until, b.until != "" && b.err == nil
			select {
			case started <- b:
			case <-ctx.Done():
				return
			}
			running.Go(func() {
				defer close(b.done)
				if more {
					b.raised = panics.Aside(func() { b.err = r.process(ctx, b) })
				}
			})
		}
	})
	for b := range started {
		<-b.done
		b.raised.Raise(nil, nil)
		if err := cmp.Or(b.err, ctx.Err()); err != nil {
			return err
		}
		if err := r.complete(b); err != nil {
			return err
		}
		if err := r.recountMeanwhile(ctx, &r.count); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// process brings the read model up to date with a section.
func (r *rebuild[T]) process(ctx context.Context, b *batch[T]) error {
	known := make(map[string]bool, len(b.items))
	changes := make([]cqrsfeed.FeedChange[T], 0, len(b.items))
	for _, item := range b.items {
		known[item.ID] = true
		change, err := r.change(item)
		if err != nil {
			b.refused = append(b.refused, refusal[T]{item.Item, err})
			change = r.withhold(item)
		}
		if !change.Withheld || change.Validate() == nil {
			changes = append(changes, change)
		}
	}
	if err := r.apply(ctx, b, changes); err != nil {
		return fmt.Errorf("apply %d items after %q: %w", len(changes), b.after, err)
	}
	var unknown []string
	for _, id := range b.stored {
		if !known[id] {
			unknown = append(unknown, id)
		}
	}
	removed, err := r.removeOrphans(ctx, b.after, b.until, unknown)
	b.orphans = len(removed)
	return err
}

// apply applies changes. If the store refuses them, apply applies each alone and withholds those that the store refuses.
func (r *rebuild[T]) apply(ctx context.Context, b *batch[T], changes []cqrsfeed.FeedChange[T]) error {
	err := r.write(ctx, func() ([]cqrsfeed.FeedUpdated, error) { return r.store.Apply(ctx, changes) })
	if !errors.Is(err, cqrsfeed.ErrInvalid) {
		return err
	}
	if len(changes) == 1 {
		if changes[0].Withheld {
			return nil
		}
		b.refused = append(b.refused, refusal[T]{changes[0].Item, err})
		return r.apply(ctx, b, []cqrsfeed.FeedChange[T]{r.withhold(written[T]{Item: changes[0].Item})})
	}
	for i := range changes {
		if err := r.apply(ctx, b, changes[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// complete accounts for a batch when it and all before it are done.
func (r *rebuild[T]) complete(b *batch[T]) error {
	for _, refused := range b.refused {
		_, undecodable := errors.AsType[*cqrsfeed.UndecodableError](refused.reason)
		switch {
		case r.config.Refused != nil:
			r.config.Refused(refused.item, refused.reason)
		case !undecodable:
			return fmt.Errorf("item %q version %d: %w", refused.item.ID, refused.item.Version, refused.reason)
		}
		if undecodable {
			r.summary.Undecodable++
		} else {
			r.summary.Refused++
		}
	}
	r.summary.Items += int64(len(b.items))
	r.summary.Orphans += int64(b.orphans)
	if b.until != "" {
		r.summary.After = b.until
		r.progress()
	}
	return nil
}

func (r *rebuild[T]) progress() {
	if r.config.Progress != nil {
		r.config.Progress(r.summary)
	}
}
