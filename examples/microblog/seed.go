package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
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
	bar := newProgress(log, set.posts)
	began := time.Now()
	writers, writing := errgroup.WithContext(ctx)
	writers.SetLimit(seedTogether)
	for range set.posts {
		if writing.Err() != nil {
			break
		}
		writers.Go(func() error {
			p, err := post.Random()
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
	if bar.terminal {
		fmt.Fprintln(log)
	}
	fmt.Fprintf(results, "wrote %d posts in %s\n", bar.done, time.Since(began).Round(time.Millisecond))
	return errors.Join(err, ctx.Err())
}

// progress shows how many posts are written: by a bar on a terminal, and elsewhere by a line for each tenth.
type progress struct {
	output   io.Writer
	terminal bool
	total    int

	mu          sync.Mutex
	done, drawn int // posts, and percent
}

func newProgress(output io.Writer, total int) *progress {
	p := &progress{output: output, total: total}
	if file, ok := output.(*os.File); ok {
		stat, err := file.Stat()
		p.terminal = err == nil && stat.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// add counts one more post.
func (p *progress) add() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	percent := p.done * 100 / p.total
	text := fmt.Sprintf("%d %%, %d of %d posts", percent, p.done, p.total)
	switch {
	case p.terminal && percent > p.drawn:
		text = fmt.Sprintf("\r[%-50s] %s", strings.Repeat("#", percent/2), text)
	case !p.terminal && percent >= p.drawn+10:
		text = "seed: " + text + "\n"
	default:
		return
	}
	p.drawn = percent
	fmt.Fprint(p.output, text)
}
