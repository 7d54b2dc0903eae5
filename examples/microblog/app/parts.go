package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// The topics of the microblog's events.
const (
	TopicPostCreated = "post-created"
	TopicPostUpdated = "post-updated"
	TopicPostDeleted = "post-deleted"
	TopicFeedUpdated = "feed-updated"
	TopicPoison      = "poison"
)

// Topics are where the events of posts go.
func Topics() cqrsfeed.Topics {
	return cqrsfeed.TopicsOf("post")
}

// Parts is what the microblog stands on. Each can be any implementation of its contract; package stack
// opens those that the command offers.
type Parts struct {
	// Posts is the write model, and Outbox what its changes put their events into.
	Posts  cqrsfeed.Repository[post.Post]
	Outbox outbox.Outbox
	// Feeds is the read model.
	Feeds cqrsfeed.FeedStore[post.Post]
	// Publisher takes all events.
	Publisher message.Publisher
	// Work delivers each event to one of all instances, at least once: projections read it.
	Work message.Subscriber
	// WorkSubscriptions is how often projections subscribe to each topic. Defaults to 1.
	WorkSubscriptions int
	// Live delivers each event to every instance: open pages follow it.
	Live message.Subscriber
	// Ping fails while one of the servers behind the parts cannot be reached.
	Ping func(ctx context.Context) error
	// Traces takes the spans of what a traced request causes. Defaults to OpenTelemetry's global provider.
	Traces trace.TracerProvider
}

// Validate joins what is missing.
func (p Parts) Validate() error {
	var problems []error
	for _, part := range []struct {
		name    string
		missing bool
	}{
		{"Posts", p.Posts == nil},
		{"Outbox", p.Outbox == nil},
		{"Feeds", p.Feeds == nil},
		{"Publisher", p.Publisher == nil},
		{"Work", p.Work == nil},
		{"Live", p.Live == nil},
		{"Ping", p.Ping == nil},
	} {
		if part.missing {
			problems = append(problems, fmt.Errorf("no %s", part.name))
		}
	}
	return errors.Join(problems...)
}
