package ssestreamtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Arrival is an event, with the time and the connection it came on.
type Arrival struct {
	Event
	// At is when the recorder received the event.
	At time.Time
	// Connection is the number of the connection, from 1. In a zero value it is 0.
	Connection int
}

// Source is what a [Recorder] follows: a [*Stream] or an [*EventSource].
type Source interface {
	Close() error

	base() *client
}

// Recorder follows a source in the background and keeps every event, so that one test can follow many clients. Its
// methods are safe for concurrent use.
type Recorder struct {
	source Source
	client *client // of the source
	done   chan struct{}

	mu     sync.Mutex
	events []Arrival
	err    error
}

// Record starts to follow source, and returns at once. The recorder owns the source: others must not call its Next, and
// [Recorder.Close] closes it. The caller must call Close in any case.
func Record(source Source) *Recorder {
	r := &Recorder{source: source, client: source.base(), done: make(chan struct{})}
	go r.run()

	return r
}

func (r *Recorder) run() {
	defer close(r.done)
	for r.Err() == nil {
		arrival, err := r.client.follow(context.Background())
		arrival.At = time.Now()
		r.add(arrival, err)
		r.client.changes.notify()
	}
}

func (r *Recorder) add(arrival Arrival, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.err = err
	} else {
		r.events = append(r.events, arrival)
	}
}

// Wait returns nil as soon as condition holds. It checks the condition at once, and again after each event, comment,
// opened or lost connection, and at the end of the source. If the condition does not hold then, Wait returns why the
// source has ended. If ctx ends first, it returns the error of ctx. Both errors say what came last.
func (r *Recorder) Wait(ctx context.Context, condition func(*Recorder) bool) error {
	for {
		changed := r.client.changes.next()
		err := r.Err() // read before the condition, which must see all events before the end
		if condition(r) {
			return nil
		}
		if err != nil {
			return r.waitError(err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return r.waitError(ctx.Err())
		}
	}
}

func (r *Recorder) waitError(err error) error {
	return fmt.Errorf("wait for condition (events: %d, last: %.200q, connections: %d, comments: %d): %w",
		len(r.Events()), r.Last().Data, r.Connections(), r.Comments(), err)
}

// Events returns a copy of all events so far, in the order of their arrival.
func (r *Recorder) Events() []Arrival {
	r.mu.Lock()
	defer r.mu.Unlock()

	return slices.Clone(r.events)
}

// Last returns the last event, or the zero value if there is none.
func (r *Recorder) Last() Arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 {
		return Arrival{}
	}

	return r.events[len(r.events)-1]
}

// Connections returns how many connections have been opened. For a [*Stream] it is 1.
func (r *Recorder) Connections() int { return r.client.connections() }

// Comments returns the number of comments so far. Heartbeats are comments.
func (r *Recorder) Comments() int { return r.client.Comments() }

// Err returns why the source has ended, or nil if it has not. It is the error of the source's Next: io.EOF when the
// server ended a [*Stream], a [*ResponseError] when it refused an [*EventSource].
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.err
}

// Close closes the source and waits for its goroutines. The recorded events stay.
func (r *Recorder) Close() error {
	err := r.source.Close()
	<-r.done

	return err
}
