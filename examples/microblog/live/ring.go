// Package live shows how posts pass through the microblog, from the spans and the metrics that the parts make. It is a stream
// of its own, on a router of its own, so that it does not measure itself.
package live

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// Scope is the instrumentation scope of spans that begin the way of a post: those of feedmill.Feeds.Command.
const Scope = "github.com/feedmill/feedmill"

const (
	committedEvent = "committed"

	idKey      attribute.Key = "microblog.post.id"
	versionKey attribute.Key = "microblog.post.version"
	changeKey  attribute.Key = "microblog.post.change"
	titleKey   attribute.Key = "microblog.post.title"
	tagsKey    attribute.Key = "microblog.post.tags"
)

// Committed notes in the span of ctx, which begins the way of a post, that the change is durable.
func Committed(ctx context.Context, item cqrsfeed.Item[post.Post]) {
	change := "edited"
	switch {
	case item.Deleted:
		change = "deleted"
	case item.Version == 1:
		change = "created"
	}
	trace.SpanFromContext(ctx).AddEvent(committedEvent, trace.WithAttributes(
		idKey.String(item.ID), versionKey.Int64(item.Version), changeKey.String(change),
		titleKey.String(item.Body.Title), tagsKey.StringSlice(item.Body.Tags),
	))
}

const (
	// ringSize is how many ways are known at once, for the figures of a load. Only the newest are shown.
	ringSize = 4096
	// shownWays is how many ways are shown.
	shownWays = 8
)

// Ring keeps the ways of the last posts. It is the span processor that a tracer provider tells of all spans.
//
// A span belongs to a way if its parent or one of its links does: a batch of the projector is one span with links to the
// others that it has, and a load has links to all that it was for.
type Ring struct {
	mu    sync.Mutex
	ways  []*way // oldest first
	spans map[trace.SpanID][]*way
	shown func(id string, took time.Duration)
}

var _ sdktrace.SpanProcessor = (*Ring)(nil)

// NewRing returns an empty Ring.
func NewRing() *Ring {
	return &Ring{spans: map[trace.SpanID][]*way{}, shown: func(string, time.Duration) {}}
}

// OnShown has f called once for each post with the time from its commit to the first write to a window. f must not block.
// A nil f ends that.
func (r *Ring) OnShown(f func(id string, took time.Duration)) {
	if f == nil {
		f = func(string, time.Duration) {}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shown = f
}

// OnStart implements sdktrace.SpanProcessor.
func (r *Ring) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := s.SpanContext().SpanID()
	if s.InstrumentationScope().Name == Scope {
		w := &way{Way: Way{At: s.StartTime(), Tags: []string{}, Steps: []Step{}, Reads: []Read{}}, spans: []trace.SpanID{id}}
		r.spans[id] = []*way{w}
		r.ways = append(r.ways, w)
		if len(r.ways) > ringSize {
			r.forget(0)
		}
		return
	}
	known := slices.Clone(r.spans[s.Parent().SpanID()])
	for _, link := range s.Links() {
		for _, w := range r.spans[link.SpanContext.SpanID()] {
			if !slices.Contains(known, w) {
				known = append(known, w)
			}
		}
	}
	if len(known) == 0 {
		return
	}
	r.spans[id] = known
	for _, w := range known {
		w.spans = append(w.spans, id)
	}
}

// OnEnd implements sdktrace.SpanProcessor.
func (r *Ring) OnEnd(s sdktrace.ReadOnlySpan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.spans[s.SpanContext().SpanID()] {
		w.ended(s)
		if s.InstrumentationScope().Name == Scope && w.committed.IsZero() { // it was refused, or failed
			r.forget(slices.Index(r.ways, w))
			continue
		}
		if written := w.written(); !w.observed && !written.IsZero() && !w.committed.IsZero() {
			w.observed = true
			r.shown(w.ID, max(0, written.Sub(w.committed)))
		}
	}
}

// forget removes a way.
func (r *Ring) forget(i int) {
	if i < 0 {
		return
	}
	for _, id := range r.ways[i].spans {
		delete(r.spans, id)
	}
	r.ways = slices.Delete(r.ways, i, i+1)
}

// Shutdown implements sdktrace.SpanProcessor.
func (*Ring) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (*Ring) ForceFlush(context.Context) error { return nil }

// Ways returns the last ways, newest first.
func (r *Ring) Ways(broker bool) []Way {
	r.mu.Lock()
	defer r.mu.Unlock()
	shown := []Way{}
	for _, w := range slices.Backward(r.ways) {
		if len(shown) == shownWays {
			break
		}
		if !w.committed.IsZero() {
			shown = append(shown, w.view(broker))
		}
	}
	return shown
}
