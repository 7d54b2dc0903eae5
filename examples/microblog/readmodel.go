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

// rebuild applies all posts to the feeds. Open pages follow.
func rebuild(ctx context.Context, set settings, logger *slog.Logger, results, progress io.Writer) (err error) {
	parts, err := openBeside(ctx, set, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()

	total, err := parts.CountPosts(ctx)
	if err != nil {
		return err
	}
	if set.after != "" {
		total = 0 // how many of them are left is not known
	}
	began := time.Now()
	bar := newProgressBar(progress, total, began)
	summary, err := readmodel.Rebuild(ctx, readmodel.RebuildConfig[post.Post]{
		Source:       parts.Parts.Posts,
		Store:        parts.ReadModel,
		FeedsOf:      post.FeedsOf,
		Publisher:    parts.Parts.Publisher,
		UpdatesTopic: app.TopicFeedUpdated,
		After:        set.after,
		Progress:     func(s readmodel.RebuildSummary) { bar.show(s, time.Now()) },
		Refused: func(item cqrsfeed.Item[post.Post], reason error) {
			logger.Error("Left out a post that can be in no feed", "id", item.ID, "version", item.Version, "error", reason)
		},
	})
	bar.end()
	if err != nil {
		return fmt.Errorf("%w (run it again, or only the rest with -after %q)", err, summary.After)
	}
	fmt.Fprintf(results, "rebuilt: %d posts in %s", summary.Items, time.Since(began).Round(time.Millisecond))
	if summary.Orphans > 0 {
		fmt.Fprintf(results, "; %d unknown posts removed", summary.Orphans)
	}
	if summary.Refused > 0 {
		fmt.Fprintf(results, "; %d posts left out", summary.Refused)
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
		Source:       parts.Parts.Posts,
		Store:        parts.ReadModel,
		FeedsOf:      post.FeedsOf,
		Repair:       set.repair,
		Publisher:    parts.Parts.Publisher,
		UpdatesTopic: app.TopicFeedUpdated,
		Drift:        func(drift readmodel.Drift) { fmt.Fprintln(results, drift) },
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(results, "audited: %d posts, %d feeds; %d drifts, %d repaired\n",
		summary.Items, summary.Feeds, summary.Drifts, summary.Repaired)
	if summary.Unsettled > 0 {
		fmt.Fprintf(results, "%d changed meanwhile: run it again to check them\n", summary.Unsettled)
	}
	if left := summary.Remaining(); left > 0 {
		return fmt.Errorf("audit: %w in %d places", errDiffer, left)
	}
	return nil
}
