package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/examples/microblog/stack"
)

// openBeside opens the parts for a command that works beside microblogs that serve, as far as those are on
// servers.
func openBeside(ctx context.Context, set settings, logger *slog.Logger) (*stack.Stack, error) {
	set.stack.Existing = true
	parts, err := stack.Open(ctx, set.stack, logger)
	if errors.Is(err, stack.ErrInUse) {
		return nil, fmt.Errorf("%w: what is embedded belongs to one process at a time, so stop the microblog that "+
			"serves from there first (on MySQL, MongoDB and NATS servers this works while it serves)", err)
	}
	return parts, err
}

// rebuild makes the feeds anew from the posts. Pages that are open somewhere follow.
func rebuild(ctx context.Context, set settings, logger *slog.Logger, results io.Writer, bar *progressBar) (err error) {
	parts, err := openBeside(ctx, set, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()

	summary, err := readmodel.Rebuild(ctx, readmodel.RebuildConfig[post.Post]{
		Repository:   parts.Parts.Posts,
		Store:        parts.Parts.Feeds,
		FeedsOf:      app.FeedsOf,
		Publisher:    parts.Parts.Publisher,
		UpdatesTopic: app.TopicFeedUpdated,
		Restart:      set.restart,
		Progress:     func(p readmodel.RebuildProgress) { bar.show(p, time.Now()) },
		Refused: func(item cqrsfeed.Item[post.Post], reason error) {
			logger.Error("Left out a post that can be in no feed", "id", item.ID, "version", item.Version, "error", reason)
		},
	})
	bar.end()
	if err != nil {
		return fmt.Errorf("%w (microblog rebuild goes on from there when it is run again)", err)
	}
	fmt.Fprintf(results, "rebuilt: %d posts in %s", summary.Items-summary.Resumed, summary.Elapsed.Round(time.Millisecond))
	for _, part := range []struct {
		n    int64
		text string
	}{
		{summary.Resumed, "%d were done before"},
		{summary.Orphans, "%d unknown posts removed"},
		{summary.Strays, "%d stray entries removed"},
		{summary.Refused, "%d posts left out"},
	} {
		if part.n > 0 {
			fmt.Fprintf(results, "; "+part.text, part.n)
		}
	}
	fmt.Fprintln(results)
	return nil
}

// errDiffer is what an audit found, as opposed to what kept it from finding out.
var errDiffer = errors.New("the feeds differ from the posts")

// audit compares the feeds with the posts. That they differ, and still do, is an error.
func audit(ctx context.Context, set settings, logger *slog.Logger, results io.Writer) (err error) {
	parts, err := openBeside(ctx, set, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()

	summary, err := readmodel.Audit(ctx, readmodel.AuditConfig[post.Post]{
		Repository:   parts.Parts.Posts,
		Store:        parts.Parts.Feeds,
		FeedsOf:      app.FeedsOf,
		Heal:         set.heal,
		Publisher:    parts.Parts.Publisher,
		UpdatesTopic: app.TopicFeedUpdated,
		Drift:        func(drift readmodel.Drift) { fmt.Fprintln(results, drift) },
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(results, "audited: %d posts, %d entries, %d feeds; %d drifts, %d healed\n",
		summary.Items, summary.Entries, summary.Feeds, summary.Drifts, summary.Healed)
	if summary.Unsettled > 0 {
		fmt.Fprintf(results, "%d changed at every look: run it again to be sure of them\n", summary.Unsettled)
	}
	if left := summary.Remaining(); left > 0 {
		return fmt.Errorf("audit: %w in %d places", errDiffer, left)
	}
	return nil
}
