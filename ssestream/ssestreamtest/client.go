package ssestreamtest

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// client is what a [Stream] and an [EventSource] have in common. It reads events and offers them to Next one by one.
type client struct {
	cancel  context.CancelCauseFunc
	done    chan struct{} // closed when the goroutine that reads has ended
	changes changes
	reader  *Reader // of all connections

	mu      sync.Mutex
	state   ReadyState
	opened  int // number of connections so far
	lastID  string
	failure error     // why the last request had no response
	err     error     // why the client has ended
	offered *Arrival  // what Next returns
	taken   chan bool // receives when Next has returned it
}

// newClient returns a client and the context of its connections, which ends with [client.cancel].
func newClient(ctx context.Context) (*client, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	c := &client{cancel: cancel, done: make(chan struct{}), reader: NewReader(nil)}
	c.reader.commented = c.changes.notify

	return c, ctx
}

// begin notes that a response has come.
func (c *client) begin(response *http.Response) {
	defer c.changes.notify()
	c.reader.reset(response.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state, c.failure = StateOpen, nil
	c.opened++
}

// read offers the events of one connection, and returns why there are no more.
func (c *client) read(ctx context.Context) error {
	for {
		event, ok, err := c.reader.block()
		switch {
		case err != nil:
			return err
		case !ok:
			c.setLastID(event.ID)
		case !c.offer(ctx, event):
			return context.Cause(ctx)
		}
	}
}

func (c *client) setLastID(id string) {
	defer c.changes.notify()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID = id
}

// offer waits until Next has taken the event, and reports whether it has.
func (c *client) offer(ctx context.Context, event Event) bool {
	taken := make(chan bool, 1)
	c.mu.Lock()
	c.offered, c.taken = &Arrival{Event: event, Connection: c.opened}, taken
	c.mu.Unlock()
	c.changes.notify()
	select {
	case <-taken:
		return true
	case <-ctx.Done():
		return false
	}
}

// take returns the offered event, if there is one, or why the client has ended.
func (c *client) take() (Arrival, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.offered == nil {
		return Arrival{}, false, c.err
	}
	arrival := *c.offered
	c.lastID = arrival.ID
	c.taken <- true
	c.offered = nil

	return arrival, true, nil
}

// end notes why there are no more events.
func (c *client) end(err error) {
	defer c.changes.notify()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state, c.offered, c.err = StateClosed, nil, err
}

// Next returns the next event, of any connection of the client. When the client has ended, it returns why. When ctx ends
// first, it returns the error of ctx with the state of the client, and can be called again.
func (c *client) Next(ctx context.Context) (Event, error) {
	arrival, err := c.follow(ctx)

	return arrival.Event, err
}

func (c *client) follow(ctx context.Context) (Arrival, error) {
	for {
		changed := c.changes.next()
		if arrival, ok, err := c.take(); ok || err != nil {
			return arrival, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Arrival{}, c.waitError(ctx.Err())
		}
	}
}

func (c *client) waitError(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure != nil {
		return fmt.Errorf("wait for event (%s, connections: %d, last: %v): %w", c.state, c.opened, c.failure, err) //nolint:errorlint // the failure is not why Next fails
	}

	return fmt.Errorf("wait for event (%s, connections: %d): %w", c.state, c.opened, err)
}

// LastEventID returns what the next connection would send as Last-Event-ID, or "". An event counts once Next has
// returned it, a block without data once it was read.
func (c *client) LastEventID() string {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.lastID
}

// Retry returns the reconnection time that the server set last, or 0.
func (c *client) Retry() time.Duration { return c.reader.Retry() }

// Comments returns the number of comments so far, on all connections. Heartbeats are comments.
func (c *client) Comments() int { return c.reader.Comments() }

func (c *client) connections() int {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.opened
}

// base implements [Source].
func (c *client) base() *client { return c }

// Close ends the client and waits for its goroutine. It may be called more than once.
func (c *client) Close() error {
	c.cancel(ErrClosed)
	<-c.done

	return nil
}
