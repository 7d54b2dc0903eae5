package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/examples/microblog/stack"
)

// command runs a command that works on the parts, beside microblogs that serve, as far as those are on servers.
func command(ctx context.Context, name string, set settings, logger *slog.Logger, results, progress io.Writer) (err error) {
	byIDs := name == "unpark" || name == "discard"
	if byIDs && set.all == (len(set.ids) > 0) {
		return fmt.Errorf("%s: say which events, by the ids that microblog parked shows, or -all to unpark all", name)
	}
	set.stack.Existing = true
	parts, err := stack.Open(ctx, set.stack, logger)
	if errors.Is(err, stack.ErrInUse) {
		return fmt.Errorf("%w: what is embedded belongs to one process at a time, so stop the microblog that "+
			"serves from there first (on MySQL, MongoDB and NATS servers this works while it serves)", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	queue, ok := parts.Parts.Outbox.(outbox.Operations)
	if !ok {
		return fmt.Errorf("the outbox (%T) does not tell what is parked", parts.Parts.Outbox)
	}
	switch {
	case name == "rebuild":
		return rebuild(ctx, parts, set.after, logger, results, progress)
	case name == "audit":
		return audit(ctx, parts, set.repair, results)
	case name == "parked":
		return operate.Parked(ctx, queue, results)
	case name == "discard":
		return operate.Discard(ctx, queue, results, set.ids...)
	case set.all:
		return operate.UnparkAll(ctx, queue, results)
	default:
		return operate.Unpark(ctx, queue, results, set.ids...)
	}
}

// rebuild applies all posts to the feeds. Open pages follow.
func rebuild(ctx context.Context, parts *stack.Stack, after string, logger *slog.Logger, results, progress io.Writer) error {
	total, err := parts.CountPosts(ctx)
	if err != nil {
		return err
	}
	updates, topic := announce(parts)
	return operate.Rebuild(ctx, readmodel.RebuildConfig[post.Post]{
		Source: parts.Parts.Posts, Store: parts.ReadModel, FeedsOf: post.FeedsOf,
		Publisher: updates, UpdatesTopic: topic, After: after,
		Refused: func(item cqrsfeed.Item[post.Post], reason error) {
			logger.Error("Left out a post that can be in no feed", "id", item.ID, "version", item.Version, "error", reason)
		},
	}, total, results, progress)
}

// audit compares the feeds with the posts. That they differ, and still do, is an error.
func audit(ctx context.Context, parts *stack.Stack, repair bool, results io.Writer) error {
	updates, topic := announce(parts)
	return operate.Audit(ctx, readmodel.AuditConfig[post.Post]{
		Source: parts.Parts.Posts, Store: parts.ReadModel, FeedsOf: post.FeedsOf, Repair: repair,
		Publisher: updates, UpdatesTopic: topic,
	}, results)
}

// announce returns where open pages hear of changed feeds: nowhere without a broker. They then see them when their streams
// load again.
func announce(parts *stack.Stack) (updates message.Publisher, topic string) {
	if parts.Parts.Broker == nil {
		return nil, ""
	}
	return parts.Parts.Broker.Publisher, app.TopicFeedUpdated
}
