package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/examples/microblog/live"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

const (
	writers   = 8
	editEvery = 4 // posts
)

// writer writes posts at a rate.
type writer struct {
	config                  Config
	accepted, edits, failed atomic.Int64

	mu   sync.Mutex
	ids  []string
	own  map[string]bool
	took []time.Duration
}

func newWriter(config Config) *writer { return &writer{config: config, own: map[string]bool{}} }

// write writes until ctx ends. What it has begun it finishes.
func (w *writer) write(ctx context.Context, rate int, edit bool) {
	numbers := make(chan int, rate)
	var working sync.WaitGroup
	for range writers {
		working.Go(func() {
			for n := range numbers {
				w.one(context.WithoutCancel(ctx), n, edit)
			}
		})
	}
	ticks := time.NewTicker(time.Second / time.Duration(rate))
	defer ticks.Stop()
	for n := 1; ctx.Err() == nil; n++ {
		select {
		case <-ctx.Done():
		case <-ticks.C:
			select {
			case numbers <- n:
			default: // a database that cannot keep up gets no more
			}
		}
	}
	close(numbers)
	working.Wait()
}

// one writes a post, and may change an earlier one, so that the order of events matters.
func (w *writer) one(ctx context.Context, n int, edit bool) {
	p, err := post.New(fmt.Sprintf("Post %d of a demonstration", n), "Written by the server, to be counted. #"+Tag, "Demonstration")
	if err != nil {
		panic(err) // it is valid
	}
	id := watermill.NewULID()
	w.mu.Lock()
	w.own[id] = true // before a window can have it
	w.mu.Unlock()
	if w.traced(ctx, func(ctx context.Context) error {
		item, err := w.config.Posts.Create(ctx, id, p)
		if err == nil {
			live.Committed(ctx, item)
		}
		return err
	}) {
		w.accepted.Add(1)
		w.mu.Lock()
		w.ids = append(w.ids, id)
		w.mu.Unlock()
	}
	if edit && n%editEvery == 0 {
		w.edit(ctx)
	}
}

// edit changes a post, and moves it into another feed or out of it.
func (w *writer) edit(ctx context.Context) {
	w.mu.Lock()
	if len(w.ids) == 0 {
		w.mu.Unlock()
		return
	}
	id := w.ids[rand.IntN(len(w.ids))] // #nosec G404 -- not for secrets
	w.mu.Unlock()
	if w.traced(ctx, func(ctx context.Context) error {
		item, err := w.config.Posts.Update(ctx, id, func(p *post.Post) (err error) {
			content := "Written by the server, and changed. #" + Tag + " #edited"
			if slices.Contains(p.Tags, "edited") {
				content = "Written by the server, and changed back. #" + Tag
			}
			*p, err = p.Edited(nil, &content)
			return err
		})
		if err == nil {
			live.Committed(ctx, item)
		}
		return err
	}) {
		w.edits.Add(1)
	}
}

// traced writes in a trace of its own, and reports whether that was accepted.
func (w *writer) traced(ctx context.Context, write func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ctx, span := w.config.Tracer.Start(ctx, "microblog demonstration")
	defer span.End()
	if err := write(ctx); err != nil {
		w.failed.Add(1)
		return false
	}
	return true
}

// shown notes how long a post took to the first window.
func (w *writer) shown(id string, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.own[id] {
		w.took = append(w.took, took)
	}
}

// latency returns the median and the 99th percentile in milliseconds, and of how many posts they are.
func (w *writer) latency() (p50, p99 float64, measured int) {
	w.mu.Lock()
	took := slices.Clone(w.took)
	w.mu.Unlock()
	if len(took) == 0 {
		return 0, 0, 0
	}
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000 }
	return at(0.5), at(0.99), len(took)
}
