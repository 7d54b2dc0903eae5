package speed_test

import (
	"context"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
)

// commandTimes are how long commands of MongoDB took, by command and kind of collection, such as "insert-items".
type commandTimes struct {
	mu      sync.Mutex
	waiting map[int64]string
	took    map[string][]time.Duration
}

func (c *commandTimes) monitor() *event.CommandMonitor {
	c.forget()
	return &event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) {
			collection, _ := e.Command.Lookup(e.CommandName).StringValueOK()
			c.mu.Lock()
			defer c.mu.Unlock()
			c.waiting[e.RequestID] = e.CommandName + "-" + collection[strings.LastIndex(collection, "_")+1:]
		},
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
			c.mu.Lock()
			defer c.mu.Unlock()
			name := c.waiting[e.RequestID]
			delete(c.waiting, e.RequestID)
			c.took[name] = append(c.took[name], e.Duration)
		},
	}
}

// forget forgets the commands until now.
func (c *commandTimes) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting, c.took = make(map[int64]string), make(map[string][]time.Duration)
}

// frequent returns the medians of the commands that were sent at least n times.
func (c *commandTimes) frequent(n int) map[string]time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	medians := make(map[string]time.Duration)
	for name, took := range c.took {
		if len(took) >= n {
			medians[name] = median(took)
		}
	}
	return medians
}
