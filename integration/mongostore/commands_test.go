package mongostore_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
)

// commands watches the commands that a client sends. It can cancel or hold the work between them.
type commands struct {
	mu      sync.Mutex
	names   []string
	bodies  []bson.Raw
	after   int // the command after which crash is called, if it is not 0
	crash   context.CancelFunc
	done    int
	before  int // the command before which the work is held, if it is not 0
	reached chan struct{}
	resume  chan struct{}
}

func (c *commands) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) { c.started(e) },
		Succeeded: func(context.Context, *event.CommandSucceededEvent) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.done++; c.done == c.after {
				c.crash()
			}
		},
	}
}

func (c *commands) started(e *event.CommandStartedEvent) {
	c.mu.Lock()
	c.names = append(c.names, e.CommandName)
	c.bodies = append(c.bodies, append(bson.Raw(nil), e.Command...))
	held := c.before != 0 && len(c.names) == c.before
	reached, resume := c.reached, c.resume
	c.mu.Unlock()
	if held {
		close(reached)
		<-resume
	}
}

// forget forgets the commands that were sent.
func (c *commands) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names, c.bodies, c.done, c.after, c.before = nil, nil, 0, 0, 0
}

// crashAfter returns a context that ends as soon as the server has answered the nth command from now.
func (c *commands) crashAfter(t *testing.T, n int) context.Context {
	t.Helper()
	c.forget()
	ctx, cancel := context.WithCancel(t.Context())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.after, c.crash = n, cancel
	t.Cleanup(cancel)
	return ctx
}

// crashAt calls crash as soon as the server has answered the nth command since forget.
func (c *commands) crashAt(n int, crash context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.after, c.crash = n, crash
}

// holdBefore holds the nth command from now until resume is called (or the test ends), and closes reached
// when it is there.
func (c *commands) holdBefore(t *testing.T, n int) (reached <-chan struct{}, resume func()) {
	t.Helper()
	c.forget()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.before, c.reached, c.resume = n, make(chan struct{}), make(chan struct{})
	held := c.resume
	resume = sync.OnceFunc(func() { close(held) })
	t.Cleanup(resume) // before the client is disconnected, which waits for its commands
	return c.reached, resume
}

// sent returns the names of the commands since forget.
func (c *commands) sent() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.names...)
}

// answered returns how many commands the server has answered since forget.
func (c *commands) answered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

// last returns the last command of a name.
func (c *commands) last(name string) bson.Raw {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, sent := range slices.Backward(c.names) {
		if sent == name {
			return c.bodies[i]
		}
	}
	return nil
}
