package groupcommit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ErrAlone is the result of an entry that was not written and must be written alone.
var ErrAlone = errors.New("not in the shared transaction")

// maxAlone is the maximum number of entries, left out of a shared transaction, that are written at the same time.
const maxAlone = 16

// Config is the configuration of a Group. All fields but Turn are required.
type Config[E any] struct {
	// Slots is the number of transactions that run before other callers have to wait.
	Slots int
	// Share writes the entries that take returns in one transaction, and returns their results in the same order. There
	// may be no entries. Entries without a result are written alone. Share calls take once its transaction can write.
	// Every call of take returns the same entries, so that Share can try again.
	Share func(take func() []E) []error
	// Fit returns how many of the entries, from the first, one transaction can write: at least one.
	Fit func(entries []E) int
	// Turn is the maximum time that a transaction of one entry holds a slot. Defaults to 100 milliseconds.
	Turn time.Duration
}

// Group lets callers share transactions. It is safe for concurrent use.
type Group[E any] struct {
	config Config[E]
	alone  chan struct{}

	mu      sync.Mutex
	busy    int // slots
	waiting []*call[E]
}

// call is a waiting caller.
type call[E any] struct {
	entry  E
	result chan error
}

// New returns a group. It starts no goroutine.
func New[E any](config Config[E]) *Group[E] {
	if config.Turn == 0 {
		config.Turn = 100 * time.Millisecond
	}
	return &Group[E]{config: config, alone: make(chan struct{}, maxAlone)}
}

// Waiting returns the number of callers that wait for a shared transaction.
func (g *Group[E]) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}

// Do writes an entry, either by alone or together with others.
func (g *Group[E]) Do(ctx context.Context, entry E, alone func() error) error {
	waiting := g.enter(entry)
	if waiting == nil {
		return g.inTurn(alone, g.leave)
	}
	if err := g.await(ctx, waiting); !errors.Is(err, ErrAlone) {
		return err
	}
	select {
	case g.alone <- struct{}{}:
		return g.inTurn(alone, func() { <-g.alone })
	case <-ctx.Done():
		return fmt.Errorf("wait for other writers: %w", ctx.Err())
	}
}

// inTurn calls alone, and end when alone has returned or its turn is over.
func (g *Group[E]) inTurn(alone func() error, end func()) error {
	end = sync.OnceFunc(end)
	defer end()
	defer time.AfterFunc(g.config.Turn, end).Stop()
	return alone()
}

// enter takes a slot and returns nil, or adds the entry to the waiting ones.
func (g *Group[E]) enter(entry E) *call[E] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy < g.config.Slots {
		g.busy++
		return nil
	}
	waiting := &call[E]{entry, make(chan error, 1)}
	g.waiting = append(g.waiting, waiting)
	return waiting
}

// await returns the result of a waiting caller, or an error if its context ends before its entry is taken.
func (g *Group[E]) await(ctx context.Context, c *call[E]) error {
	select {
	case err := <-c.result:
		return err
	case <-ctx.Done():
		if g.withdraw(c) {
			return fmt.Errorf("wait for other writers: %w", ctx.Err())
		}
		return <-c.result
	}
}

// withdraw reports whether the caller was still waiting, and removes it.
func (g *Group[E]) withdraw(c *call[E]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, c)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// leave frees a slot, or passes it to the waiting callers.
func (g *Group[E]) leave() {
	if !g.free() {
		go func() {
			for !g.free() {
				g.share()
			}
		}()
	}
}

// free frees a slot and reports true if no caller waits. Otherwise it reports false.
func (g *Group[E]) free() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) > 0 {
		return false
	}
	g.busy--
	return true
}

// share writes waiting entries in one transaction and sends their callers the results. A single entry is written alone,
// which takes fewer statements.
func (g *Group[E]) share() {
	take := sync.OnceValue(g.take)
	var results []error
	if g.Waiting() > 1 {
		results = g.config.Share(func() []E { return entriesOf(take()) })
	}
	for i, c := range take() {
		if i < len(results) {
			c.result <- results[i]
		} else {
			c.result <- ErrAlone
		}
	}
}

// take removes, from the waiting callers, the first ones whose entries fit into one transaction.
func (g *Group[E]) take() []*call[E] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		return nil
	}
	n := g.config.Fit(entriesOf(g.waiting))
	taken := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	return taken
}

func entriesOf[E any](calls []*call[E]) []E {
	entries := make([]E, len(calls))
	for i, c := range calls {
		entries[i] = c.entry
	}
	return entries
}
