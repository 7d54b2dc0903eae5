package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"golang.org/x/sync/errgroup"

	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/examples/microblog/stack"
)

// seedTogether is how many posts are written at once: databases commit several together.
const seedTogether = 16

// seed writes random posts into the write model. The events reach the feeds of a microblog that serves, at once or when it starts.
func seed(ctx context.Context, set settings, results, log io.Writer) (err error) {
	parts, err := stack.Open(ctx, set.stack, set.logger(log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	bar, began := progress{output: log, total: set.posts}, time.Now()
	writers, writing := errgroup.WithContext(ctx)
	writers.SetLimit(seedTogether)
	for range set.posts {
		if writing.Err() != nil {
			break
		}
		writers.Go(func() error {
			p, err := post.Random().Checked()
			if err != nil {
				return err
			}
			if _, err := parts.Posts.Create(writing, watermill.NewULID(), p); err != nil {
				return fmt.Errorf("write a random post: %w", err)
			}
			bar.add()
			return nil
		})
	}
	err = writers.Wait()
	fmt.Fprintln(log)
	fmt.Fprintf(results, "wrote %d posts in %s\n", bar.done, time.Since(began).Round(time.Millisecond))
	return errors.Join(err, ctx.Err())
}

// progress is a bar that grows on its line, on a terminal as in a log.
type progress struct {
	output io.Writer
	total  int

	mu    sync.Mutex
	done  int
	drawn int // of its 50 characters
}

// add counts one more post.
func (p *progress) add() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	more := 50*p.done/p.total - p.drawn
	p.drawn += more
	fmt.Fprint(p.output, strings.Repeat("#", more))
}
