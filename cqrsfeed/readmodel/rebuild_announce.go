package readmodel

import (
	"context"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// mostAnnounced bounds what an announcer remembers.
const mostAnnounced = 10_000

// announcer publishes the feeds that changed. It is safe for concurrent use.
type announcer struct {
	publisher message.Publisher // nil for none
	topic     string
	attempts  int

	mu        sync.Mutex
	announced map[string]int64
}

func newAnnouncer(publisher message.Publisher, topic string, attempts int) *announcer {
	return &announcer{publisher: publisher, topic: topic, attempts: attempts, announced: make(map[string]int64)}
}

// announce leaves out revisions that were announced before: batch after batch names the same feeds.
func (a *announcer) announce(ctx context.Context, updated []cqrsfeed.FeedUpdated) error {
	if a.publisher == nil {
		return nil
	}
	fresh := a.unannounced(updated)
	if len(fresh) == 0 {
		return nil
	}
	messages := make([]*message.Message, len(fresh))
	for i, event := range fresh {
		msg, err := cqrsfeed.NewMessage(cqrsfeed.FeedUpdatedName, event)
		if err != nil {
			return err
		}
		messages[i] = msg
	}
	err := try(ctx, a.attempts, func() error { return a.publisher.Publish(a.topic, messages...) })
	if err != nil {
		return fmt.Errorf("announce %d feeds to topic %q: %w", len(messages), a.topic, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.announced) > mostAnnounced {
		clear(a.announced)
	}
	for _, event := range fresh {
		a.announced[event.Feed] = max(a.announced[event.Feed], event.Revision)
	}
	return nil
}

func (a *announcer) unannounced(updated []cqrsfeed.FeedUpdated) []cqrsfeed.FeedUpdated {
	a.mu.Lock()
	defer a.mu.Unlock()
	fresh := make([]cqrsfeed.FeedUpdated, 0, len(updated))
	places := make(map[string]int, len(updated))
	for _, event := range updated {
		if known, ok := a.announced[event.Feed]; ok && known >= event.Revision {
			continue
		}
		if at, twice := places[event.Feed]; twice {
			fresh[at].Revision = max(fresh[at].Revision, event.Revision)
			continue
		}
		places[event.Feed] = len(fresh)
		fresh = append(fresh, event)
	}
	return fresh
}
