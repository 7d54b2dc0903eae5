package live_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/live"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// parts make spans as those of the library do.
type parts struct {
	ring     *live.Ring
	provider *sdktrace.TracerProvider
}

func newParts() parts {
	ring := live.NewRing()
	return parts{ring, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ring))}
}

// write begins the way of a post.
func (p parts) write(ctx context.Context, id string) context.Context {
	ctx, span := p.provider.Tracer(live.Scope).Start(ctx, "feedmill command")
	live.Committed(ctx, cqrsfeed.Item[post.Post]{ID: id, Version: 1})
	span.End()
	return ctx
}

// span makes a span below the first cause, with links to the others.
func (p parts) span(name string, err error, causes ...context.Context) context.Context {
	var links []trace.Link
	for _, cause := range causes[1:] {
		links = append(links, trace.LinkFromContext(cause))
	}
	ctx, span := p.provider.Tracer("library").Start(causes[0], name, trace.WithLinks(links...), trace.WithAttributes(
		attribute.Int("cqrsfeed.batch.size", len(causes)), attribute.String("ssestream.key", "go")))
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
	return ctx
}

// TestRingFollowsBatches: the posts of a batch have its spans, and those below them.
func TestRingFollowsBatches(t *testing.T) {
	t.Parallel()
	p := newParts()
	shown := map[string]time.Duration{}
	p.ring.OnShown(func(id string, took time.Duration) { shown[id] = took })
	first, second, third := p.write(t.Context(), "1"), p.write(t.Context(), "2"), p.write(t.Context(), "3")
	for _, written := range []context.Context{first, second, third} {
		p.span("cqrsfeed publish", nil, written)
	}
	applied := p.span("cqrsfeed apply", nil, first, second)
	require.Empty(t, shown)
	p.span("ssestream write", nil, p.span("ssestream load", nil, applied))

	ways := p.ring.Ways(true)
	require.Equal(t, []string{"3", "2", "1"}, []string{ways[0].ID, ways[1].ID, ways[2].ID}, "newest first")
	require.Equal(t, "broker", ways[0].Station, "it waits there for a projector")
	require.Zero(t, ways[0].Total)
	for _, way := range ways[1:] {
		require.Equal(t, "windows", way.Station)
		require.Equal(t, "in a batch of 2", way.Steps[4].Note)
		require.Positive(t, way.Total)
		require.Contains(t, shown, way.ID)
	}
	require.Len(t, shown, 2)
}

// TestRingCountsAttempts: a way stands still while a station fails.
func TestRingCountsAttempts(t *testing.T) {
	t.Parallel()
	p := newParts()
	written := p.write(t.Context(), "1")
	for range 3 {
		p.span("cqrsfeed publish", errors.New("away"), written)
	}
	way := p.ring.Ways(true)[0]
	require.Equal(t, "relay", way.Station)
	p.span("cqrsfeed publish", nil, written)
	way = p.ring.Ways(true)[0]
	require.Equal(t, "broker", way.Station)
	require.Equal(t, "attempt 4 succeeded", way.Steps[2].Note)
}

// TestRingIsBounded, and forgets what was refused.
func TestRingIsBounded(t *testing.T) {
	t.Parallel()
	p := newParts()
	for i := range 5_000 {
		p.write(t.Context(), fmt.Sprint(i))
		_, refused := p.provider.Tracer(live.Scope).Start(t.Context(), "feedmill command")
		refused.End()
	}
	require.Equal(t, 4095, p.ring.Len(), "of 4096, the last was refused")
	require.Len(t, p.ring.Ways(false), 8)
	require.Equal(t, "4999", p.ring.Ways(false)[0].ID)
}
