package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
)

const (
	// sharedTimeout bounds a transaction that several callers share, as their own contexts cannot.
	sharedTimeout = 5 * time.Second
	// longestTurn is how long a transaction of one item counts as under way, so that some that wait for a lock do not
	// hold up the others.
	longestTurn = 100 * time.Millisecond
)

// errAlone tells a caller to create its item in a transaction of its own.
var errAlone = errors.New("not together with others")

// creation is an item to be created, and its event.
type creation struct {
	id, encoded string
	at          int64 // microseconds
	event       *message.Message
	outcome     chan error
	taken       bool // its id, as far as the transaction could see that it was to share
}

// creations has items that are created at the same moment share transactions. The first ones go at once, each alone;
// those that come while as many transactions are under way wait for the end of one, and then go together. Of what a
// change costs a database, round trips and a commit, a hundred rows need hardly more than one.
//
// Nobody fails for another's item: those whose id is taken go alone, and everybody does when the transaction failed and
// was rolled back. Only an unknown outcome is that of all.
type creations struct {
	together func(ctx context.Context, group []*creation) error
	atOnce   int           // transactions
	turn     time.Duration // of an item that goes alone

	mu      sync.Mutex
	running int
	waiting []*creation
}

// do creates an item, by alone where it does not go together with others.
func (c *creations) do(ctx context.Context, item *creation, alone func() error) error {
	if c.begin(item) {
		end := sync.OnceFunc(c.end)
		defer end()
		defer time.AfterFunc(c.turn, end).Stop()
		return alone()
	}
	var err error
	select {
	case err = <-item.outcome:
	case <-ctx.Done():
		if c.withdraw(item) {
			return ctx.Err()
		}
		err = <-item.outcome // it is under way; to give up would only leave its outcome unknown
	}
	if errors.Is(err, errAlone) {
		return alone()
	}
	return err
}

// begin reports whether the item goes at once. If not, it is told its outcome.
func (c *creations) begin(item *creation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running < c.atOnce {
		c.running++
		return true
	}
	c.waiting = append(c.waiting, item)
	return false
}

// end lets those go that wait.
func (c *creations) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.running--
		return
	}
	go c.run()
}

// withdraw reports whether the item was still waiting, which it does no more.
func (c *creations) withdraw(item *creation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, item)
	if i < 0 {
		return false
	}
	c.waiting = slices.Delete(c.waiting, i, i+1)
	return true
}

// run creates what waits until nothing does.
func (c *creations) run() {
	for group := c.next(); len(group) > 0; group = c.next() {
		err := errAlone
		if len(group) > 1 {
			err = c.share(group)
		}
		for _, item := range group {
			if item.taken {
				item.outcome <- errAlone
			} else {
				item.outcome <- err
			}
		}
	}
}

// next is what goes together: as much as an INSERT takes.
func (c *creations) next() []*creation {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, size := 0, 0
	for _, item := range c.waiting {
		size += len(item.encoded) + len(item.event.Payload)
		if n == maxInsertMessages || n > 0 && size > maxInsertBytes {
			break
		}
		n++
	}
	group := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	if n == 0 {
		c.running--
	}
	return group
}

func (c *creations) share(group []*creation) error {
	ctx, cancel := context.WithTimeout(context.Background(), sharedTimeout)
	defer cancel()
	err := c.together(ctx, group)
	if err != nil && !errors.Is(err, cqrsfeed.ErrUnknownOutcome) {
		return errAlone
	}
	return err
}

// createTogether makes one try to create items in one transaction, but for those that it marks as taken.
func (r *Repository[T]) createTogether(ctx context.Context, group []*creation) error {
	// Sorted, so that two of them that have ids in common do not wait for each other.
	slices.SortFunc(group, func(a, b *creation) int { return strings.Compare(a.id, b.id) })
	leave, err := r.database.gate.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	err = r.database.transact(ctx, r.database.dialect.beginShared(), func(tx *sql.Conn) error {
		if err := r.markTaken(ctx, tx, group); err != nil {
			return err
		}
		return r.insertFree(ctx, tx, group)
	})
	if err == nil || errors.Is(err, cqrsfeed.ErrUnknownOutcome) {
		r.outbox.Committed()
	}
	return err
}

// markTaken finds the ids that are taken, or may be: an INSERT would wait for whoever has not committed one yet, and the
// others would wait with it. Where writers do not keep each other out, the transaction reads what is not committed.
func (r *Repository[T]) markTaken(ctx context.Context, tx *sql.Conn, group []*creation) error {
	ids := make([]any, len(group))
	for i, item := range group {
		ids[i] = item.id
	}
	rows, err := tx.QueryContext(ctx, r.exist+"("+strings.Repeat(", ?", len(ids))[len(", "):]+")", ids...)
	if err != nil {
		return fmt.Errorf("look for rows: %w", err)
	}
	defer rows.Close()
	taken := make(map[string]bool)
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("look for rows: %w", err)
		}
		taken[id] = true
	}
	for _, item := range group {
		item.taken = taken[item.id]
		taken[item.id] = true // whoever else in the group has the same
	}
	return rows.Err()
}

// insertFree creates the items that are not taken.
func (r *Repository[T]) insertFree(ctx context.Context, tx *sql.Conn, group []*creation) error {
	var args []any
	var events []*message.Message
	for _, item := range group {
		if !item.taken {
			args = append(args, item.id, firstVersion, item.encoded, item.at, item.at, false)
			events = append(events, item.event)
		}
	}
	if len(events) == 0 {
		return nil
	}
	values := strings.Repeat(", (?, ?, ?, ?, ?, ?)", len(events))[len(", "):]
	if _, err := tx.ExecContext(ctx, r.insert+values, args...); err != nil {
		return fmt.Errorf("insert %d rows: %w", len(events), err)
	}
	return r.outbox.Add(ctx, tx, r.config.Topics.Created, events...)
}
