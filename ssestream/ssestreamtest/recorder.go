package ssestreamtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Arrival is an event, and when and where it came.
type Arrival struct {
	Event
	// At is when the event came to the recorder.
	At time.Time
	// Connection is the number of the connection that it came on, from 1; 0 is no event at all.
	Connection int
}

// Source is what a [Recorder] follows: a [*Stream] or an [*EventSource].
type Source interface {
	Comments() int
	Close() error

	follow(ctx context.Context) (Arrival, error)
	connections() int
	watch() *changes
}

// Recorder follows a source in the background and keeps all that comes, so that one test can look at many clients
// and wait for what they have in common. It keeps everything until it is dropped. Its methods are safe for
// concurrent use.
type Recorder struct {
	source Source
	done   chan struct{}

	mu     sync.Mutex
	events []Arrival
	err    error
}

// Record begins to follow source and answers at once. The source is the recorder's from then on: nobody else may
// call its Next, and [Recorder.Close], which has to be called in any case, closes it.
func Record(source Source) *Recorder {
	r := &Recorder{source: source, done: make(chan struct{})}
	go r.run()

	return r
}

func (r *Recorder) run() {
	defer close(r.done)
	for r.Err() == nil {
		arrival, err := r.source.follow(context.Background())
		arrival.At = time.Now()
		r.add(arrival, err)
		r.source.watch().tell()
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

// Wait answers nil as soon as condition holds. It looks at it at once, and again whenever an event or a comment
// has come, a connection was opened or lost, or the source has ended. When the source has ended and condition
// does not hold, Wait answers why it has ended; when ctx ends first, the error of ctx. Both texts say what came
// last.
func (r *Recorder) Wait(ctx context.Context, condition func(*Recorder) bool) error {
	for {
		changed := r.source.watch().next()
		err := r.Err() // before condition, which has to see all that came before the end
		if condition(r) {
			return nil
		}
		if err != nil {
			return r.inVain(err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return r.inVain(ctx.Err())
		}
	}
}

func (r *Recorder) inVain(err error) error {
	return fmt.Errorf("wait for a condition (events: %d, last: %.200q, connections: %d, comments: %d): %w",
		len(r.Events()), r.Last().Data, r.Connections(), r.Comments(), err)
}

// Events answers a copy of all events so far, in the order in which they came.
func (r *Recorder) Events() []Arrival {
	r.mu.Lock()
	defer r.mu.Unlock()

	return slices.Clone(r.events)
}

// Last answers the last event so far, and the zero value if there was none.
func (r *Recorder) Last() Arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 {
		return Arrival{}
	}

	return r.events[len(r.events)-1]
}

// Connections answers how many connections were opened so far, 1 for a [*Stream].
func (r *Recorder) Connections() int { return r.source.connections() }

// Comments answers how many comments came so far; heartbeats are comments.
func (r *Recorder) Comments() int { return r.source.Comments() }

// Err answers why the source has ended, and nil as long as it has not. It is what Next of the source answered:
// io.EOF when the server has ended a [*Stream], a [*ResponseError] when it has refused an [*EventSource].
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.err
}

// Close closes the source and waits until nothing of it is left. What was recorded stays.
func (r *Recorder) Close() error {
	err := r.source.Close()
	<-r.done

	return err
}
