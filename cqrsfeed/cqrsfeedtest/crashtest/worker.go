package crashtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// feedWorker is a process that applies a delivery, or recounts.
type feedWorker struct {
	number  int
	process *Process
	batch   []*feedMessage // nil for a recount
	rule    int64          // by which it places items
	paused  int            // for how many more turns
	running bool
	resume  chan struct{}
	pausing chan struct{}
	done    chan error
}

// pick chooses the process of the next turn: a paused one, or a new one.
func (r *feedRound) pick() *feedWorker {
	var awake []*feedWorker
	for _, w := range r.workers {
		if w.paused--; w.paused <= 0 {
			awake = append(awake, w)
		}
	}
	if len(r.workers) < crashWorkers && (len(awake) == 0 || r.dice.IntN(2) == 0) {
		switch {
		case r.dice.IntN(8) == 0:
			return r.start(nil)
		case len(r.queue) > 0:
			return r.start(r.take())
		}
	}
	if len(awake) == 0 {
		awake = r.workers
	}
	if len(awake) == 0 {
		return r.start(nil)
	}
	return awake[r.dice.IntN(len(awake))]
}

// start starts a process. Its own dice decide where it is stopped and paused, so that other processes do not influence it.
func (r *feedRound) start(batch []*feedMessage) *feedWorker {
	r.started++
	w := &feedWorker{
		number: r.started, batch: batch,
		process: newProcess(r.t.Context()),
		resume:  make(chan struct{}), pausing: make(chan struct{}), done: make(chan error, 1),
	}
	plan := rand.New(rand.NewPCG(r.dice.Uint64(), 3))
	if r.mixed {
		w.rule = plan.Int64N(newRule + 1)
	}
	last := 0
	if plan.IntN(3) > 0 {
		last = 1 + plan.IntN(crashSteps)
	}
	w.process.oneByOne, w.process.locks = true, r.stores.HoldsLocks
	w.process.decide = func(step int, _ string) fate { return fateAt(plan, 8, step, last) }
	w.process.hold = func(name string) {
		r.note("%d is paused before %q", w.number, name)
		w.pausing <- struct{}{}
		<-w.resume
	}
	w.process.stopped = func(step int, name string, f fate) {
		r.crashes++
		r.note("%d is stopped at step %d %q, done: %t", w.number, step, name, f.after)
	}
	r.workers = append(r.workers, w)
	return w
}

// advance runs a process until it is paused or ends.
func (r *feedRound) advance(w *feedWorker) {
	if w.running {
		r.note("%d goes on", w.number)
		w.resume <- struct{}{}
	} else {
		w.running = true
		r.note("%d begins with %v", w.number, w.batch)
		go func() { w.done <- r.work(w) }()
	}
	select {
	case <-w.pausing:
		w.paused = 0
		if r.dice.IntN(3) == 0 {
			w.paused = r.dice.IntN(150) // often until all others have ended
		}
		if !r.patient && r.dice.IntN(2) == 0 { // its messages expire
			r.again(w.batch)
		}
	case err := <-w.done:
		r.workers = slices.DeleteFunc(r.workers, func(other *feedWorker) bool { return other == w })
		stopped := w.process.ctx.Err() != nil
		w.process.cancel()
		if r.t.Failed() {
			return
		}
		if !stopped {
			require.NoError(r.t, err, "process %d, which was not stopped", w.number)
			r.note("%d is done", w.number)
		}
		r.again(w.batch)
	}
}

// work is what a process does.
func (r *feedRound) work(w *feedWorker) error {
	store, closeStore, err := r.stores.Open(w.process)
	if err != nil {
		return err
	}
	defer closeStore()
	updated, err := r.change(w, store)
	if err != nil {
		return err
	}
	err = w.process.step("publish", true, func() error { return r.announce(r.t.Context(), updated) })
	if err != nil {
		return err
	}
	return w.process.step("acknowledge", true, func() error {
		for _, m := range w.batch {
			m.acked = true
		}
		return nil
	})
}

func (r *feedRound) change(w *feedWorker, store cqrsfeed.FeedStore[model.Body]) ([]cqrsfeed.FeedUpdated, error) {
	if w.batch == nil {
		return recountOnce(w.process.ctx, store)
	}
	changes := make([]model.Change, 0, len(w.batch))
	for _, m := range w.batch {
		changes = append(changes, placed(m.change, w.rule))
	}
	updated, err := store.Apply(w.process.ctx, changes)
	if err == nil && w.process.ctx.Err() != nil {
		return nil, errors.New("a stopped process got an answer")
	}
	return updated, err
}

// recountOnce calls Recount until it counted something or has nothing to count.
func recountOnce(ctx context.Context, store cqrsfeed.FeedStore[model.Body]) (updated []cqrsfeed.FeedUpdated, err error) {
	for range driver.RecountCalls {
		if updated, err = store.Recount(ctx); len(updated) > 0 || err != nil {
			break
		}
	}
	return updated, err
}
