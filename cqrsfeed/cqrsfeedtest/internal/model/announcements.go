package model

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Announcements is a publisher that records the feeds of FeedUpdated events.
type Announcements struct {
	mu    sync.Mutex
	feeds map[string]bool
}

// Publish implements message.Publisher.
func (a *Announcements) Publish(_ string, messages ...*message.Message) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.feeds == nil {
		a.feeds = make(map[string]bool)
	}
	for _, msg := range messages {
		var event cqrsfeed.FeedUpdated
		if err := json.Unmarshal(msg.Payload, &event); err != nil {
			return err
		}
		a.feeds[event.Feed] = true
	}
	return nil
}

// Close implements message.Publisher.
func (a *Announcements) Close() error { return nil }

// Feeds returns the names of the feeds in byte order.
func (a *Announcements) Feeds() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.feeds))
}
