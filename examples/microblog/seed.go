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
func seed(ctx context.Context, set settings, results, progress io.Writer) (err error) {
	parts, err := stack.Open(ctx, set.stack, set.logger(progress))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	bar := newProgressBar(progress, set.posts)
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
	bar.end()
	fmt.Fprintf(results, "wrote %d posts in %s\n", bar.done, time.Since(began).Round(time.Millisecond))
	return errors.Join(err, ctx.Err())
}

// progressBar is a bar on a terminal, and some lines elsewhere.
type progressBar struct {
	output   io.Writer
	terminal bool
	total    int

	mu          sync.Mutex
	done, drawn int // posts, and percent
}

func newProgressBar(output io.Writer, total int) *progressBar {
	b := &progressBar{output: output, total: total}
	if file, ok := output.(*os.File); ok {
		stat, err := file.Stat()
		b.terminal = err == nil && stat.Mode()&os.ModeCharDevice != 0
	}
	return b
}

// add counts one more, and draws if that is enough.
func (b *progressBar) add() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	percent := b.done * 100 / b.total
	switch {
	case b.terminal && percent > b.drawn:
		fmt.Fprintf(b.output, "\r[%-50s] %d %%, %d of %d posts", strings.Repeat("#", percent/2), percent, b.done, b.total)
	case !b.terminal && percent >= b.drawn+10:
		fmt.Fprintf(b.output, "seed: %d %%, %d of %d posts\n", percent, b.done, b.total)
	default:
		return
	}
	b.drawn = percent
}

// end leaves the line of the bar.
func (b *progressBar) end() {
	if b.terminal && b.drawn > 0 {
		fmt.Fprintln(b.output)
	}
}
