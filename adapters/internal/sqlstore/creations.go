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
	// sharedTimeout bounds a transaction that several callers share up to its commit, with all its tries, as their own
	// contexts cannot.
	sharedTimeout = 5 * time.Second
	// sharedTries is how often such a transaction is tried before everybody goes alone.
	sharedTries = 3
	// loneAtOnce is how many of those that could not share go beside each other.
	loneAtOnce = 16
	// longestTurn is how long a transaction of one item counts as under way, so that some that wait for a lock do not
	// hold up the others.
	longestTurn = 100 * time.Millisecond
)

// errAlone tells a caller to create its item in a transaction of its own, and errNobody that nobody waits any more.
var (
	errAlone  = errors.New("not together with others")
	errNobody = errors.New("nobody waits")
)

// creation is an item to be created, and its event.
type creation struct {
	id, encoded string
	at          int64 // microseconds
	event       *message.Message
	outcome     chan error
	taken       bool // the shared transaction saw its id, and left it out
}

// creations has items that are created at the same moment share transactions. The first ones go at once, each alone;
// those that come while as many transactions are under way wait for the end of one, and then go together. Of what a
// change costs a database, round trips and a commit, a hundred rows need hardly more than one.
//
// Nobody fails for another's item: those whose id is taken go alone, and everybody does when the transaction failed.
// Only an unknown outcome is that of all.
type creations struct {
	// share creates in one transaction what take returns, which it calls when it can insert: until then who waits can
	// give up, and others can join. It may try again with the same.
	share func(take func() []*creation) error
	slots int           // how many transactions are under way
	turn  time.Duration // of one that is of one item
	lone  chan struct{}

	mu      sync.Mutex
	busy    int // slots
	waiting []*creation
}

func newCreations(slots int, share func(take func() []*creation) error) *creations {
	return &creations{share: share, slots: slots, turn: longestTurn, lone: make(chan struct{}, loneAtOnce)}
}

// do creates an item, by alone where it does not go together with others.
func (c *creations) do(ctx context.Context, item *creation, alone func() error) error {
	if c.begin(item) {
		return c.takeTurn(alone, c.end)
	}
	var err error
	select {
	case err = <-item.outcome:
	case <-ctx.Done():
		if c.withdraw(item) {
			return fmt.Errorf("wait for others who create: %w", ctx.Err())
		}
		err = <-item.outcome // it is under way; to give up would only leave its outcome unknown
	}
	if !errors.Is(err, errAlone) {
		return err
	}
	select {
	case c.lone <- struct{}{}:
		return c.takeTurn(alone, func() { <-c.lone })
	case <-ctx.Done():
		return fmt.Errorf("wait for others who create: %w", ctx.Err())
	}
}

// takeTurn calls alone, and end when it has returned or its turn is over.
func (c *creations) takeTurn(alone func() error, end func()) error {
	end = sync.OnceFunc(end)
	defer end()
	defer time.AfterFunc(c.turn, end).Stop()
	return alone()
}

// begin reports whether the item goes at once. If not, it is told its outcome.
func (c *creations) begin(item *creation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy < c.slots {
		c.busy++
		return true
	}
	c.waiting = append(c.waiting, item)
	return false
}

// end gives a slot back, or to those that wait.
func (c *creations) end() {
	if !c.idle() {
		go c.run()
	}
}

// idle gives a slot back and reports true if nobody waits.
func (c *creations) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) > 0 {
		return false
	}
	c.busy--
	return true
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

// run creates what waits until nothing does, in a slot.
func (c *creations) run() {
	for !c.idle() {
		c.runOnce()
	}
}

func (c *creations) runOnce() {
	take := sync.OnceValue(c.next)
	err := errAlone
	if c.several() {
		err = c.share(take)
		if err != nil && !errors.Is(err, cqrsfeed.ErrUnknownOutcome) {
			err = errAlone // the transaction was rolled back, or never began
		}
	}
	for _, item := range take() {
		if item.taken {
			item.outcome <- errAlone
		} else {
			item.outcome <- err
		}
	}
}

// several reports whether more than one waits. One alone is spared the look at what is taken.
func (c *creations) several() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting) > 1
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
	// Sorted, so that two groups that have ids in common do not wait for each other.
	slices.SortFunc(group, func(a, b *creation) int { return strings.Compare(a.id, b.id) })
	return group
}

// createTogether creates items in one transaction, but for those that it marks as taken.
func (r *Repository[T]) createTogether(take func() []*creation) error {
	conn, leave, err := r.enterTogether(context.Background()) // who waits can give up
	ctx, cancel := context.WithTimeout(context.Background(), sharedTimeout)
	defer cancel()
	for tries := 1; ; tries++ {
		if err == nil {
			err = r.tryTogether(ctx, conn, leave, take)
		}
		if err == nil || errors.Is(err, cqrsfeed.ErrUnknownOutcome) {
			r.outbox.Committed()
			return err
		}
		// The next look sees an id that somebody took between the last look and the INSERT.
		if tries == sharedTries || !r.database.mayPass(err) && r.database.dialect.Classify(err) != Duplicate {
			return err
		}
		conn, leave, err = r.enterTogether(ctx) // who was taken cannot give up any more
	}
}

// enterTogether waits for the other writers of a database that has one at a time, and for a connection.
func (r *Repository[T]) enterTogether(ctx context.Context) (conn *sql.Conn, leave func(), err error) {
	leaveGate, err := r.database.gate.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	conn, err = r.database.db.Conn(ctx)
	if err != nil {
		leaveGate()
		return nil, nil, fmt.Errorf("connect: %w", err)
	}
	return conn, func() {
		_ = conn.Close()
		leaveGate()
	}, nil
}

func (r *Repository[T]) tryTogether(ctx context.Context, conn *sql.Conn, leave func(), take func() []*creation) error {
	defer leave()
	return r.database.transactOn(ctx, conn, r.database.dialect.beginShared(), func(tx *sql.Conn) error {
		group := take()
		if len(group) == 0 {
			return errNobody
		}
		if err := r.markTaken(ctx, tx, group); err != nil {
			return err
		}
		return r.insertFree(ctx, tx, group)
	})
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
	return r.outbox.add(ctx, tx, r.topics.Created, events...)
}
