//go:build linux

package measure

import (
	"context"
	"fmt"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/contestant"
)

// Memory is what an idle client takes, in KiB.
type Memory struct {
	RSS    float64            // resident memory
	Stacks float64            // of goroutines
	Heap   float64            // what is alive in the heap
	Owners map[string]float64 // the heap by the packages that hold it
}

// profiled is how many clients are enough to see who holds what.
const profiled = 2_000

// Memory measures one contestant with n idle clients, or as many as it may have. A program has no Owners.
func (b *Bench) Memory(ctx context.Context, name string, n int) (result Memory, err error) {
	kind, err := contestant.KindOf(name)
	if err != nil {
		return result, err
	}
	if kind.Most > 0 {
		n = min(n, kind.Most)
	}
	if result, err = b.held(ctx, name, n); err != nil || kind.Program {
		return result, err
	}
	result.Owners, err = b.owners(ctx, name, min(n, profiled))

	return result, err
}

func (b *Bench) held(ctx context.Context, name string, n int) (result Memory, err error) {
	s, err := b.session(ctx, name, b.config.size(), contestant.NewPost)
	if err != nil {
		return result, err
	}
	defer s.close(&err)
	before, err := s.warm(ctx)
	if err != nil {
		return result, fmt.Errorf("warm up: %w", err)
	}
	if err := s.connect(ctx, n); err != nil {
		return result, err
	}
	after, err := s.server.Settled()
	each := func(bytes int64) float64 { return kibibytes(bytes) / float64(n) }
	result.RSS, result.Stacks, result.Heap = each(after.RSS-before.RSS), each(after.Stacks-before.Stacks), each(after.Heap-before.Heap)

	return result, err
}

// owners is apart from held, for to record who allocates takes memory too.
func (b *Bench) owners(ctx context.Context, name string, n int) (each map[string]float64, err error) {
	s, err := b.profiledSession(ctx, name, b.config.size())
	if err != nil {
		return nil, err
	}
	defer s.close(&err)
	if _, err := s.warm(ctx); err != nil {
		return nil, fmt.Errorf("warm up: %w", err)
	}
	before, err := s.server.Owners()
	if err != nil {
		return nil, err
	}
	if err := s.connect(ctx, n); err != nil {
		return nil, err
	}
	after, err := s.server.Owners()
	each = map[string]float64{}
	for owner, bytes := range after {
		each[owner] = kibibytes(bytes-before[owner]) / float64(n)
	}

	return each, err
}
