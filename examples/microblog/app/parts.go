package app

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// The topics of the updates of feeds and of messages that can never be applied.
const (
	TopicFeedUpdated = api.Kind + "-feed-updated"
	TopicPoison      = "poison"
)

// Topics returns the topics of the events of posts.
func Topics() cqrsfeed.Topics { return cqrsfeed.TopicsOf(api.Kind) }

// Parts is what the microblog stands on. Package stack opens those that the command offers.
type Parts struct {
	// Posts is the write model. Its events go to Outbox.
	Posts  cqrsfeed.Repository[post.Post]
	Outbox outbox.Outbox
	// Feeds is the read model.
	Feeds cqrsfeed.FeedStore[post.Post]
	// Broker carries the events between instances. Without one they stay in this process.
	Broker *feedmill.Broker
	// Ping fails while one of the servers behind the parts cannot be reached.
	Ping func(ctx context.Context) error
	// Traces takes the spans of what a traced request causes. Defaults to OpenTelemetry's global provider.
	Traces trace.TracerProvider
}

// Validate joins what is missing.
func (p Parts) Validate() error {
	var problems []error
	for name, missing := range map[string]bool{
		"Posts": p.Posts == nil, "Outbox": p.Outbox == nil, "Feeds": p.Feeds == nil, "Ping": p.Ping == nil,
	} {
		if missing {
			problems = append(problems, fmt.Errorf("no %s", name))
		}
	}
	return errors.Join(problems...)
}
