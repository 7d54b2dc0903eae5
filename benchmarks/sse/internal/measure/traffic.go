//go:build linux

package measure

import (
	"context"
	"fmt"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/contestant"
	"github.com/feedmill/feedmill/benchmarks/sse/internal/server"
)

// Case is what a measure of traffic is of.
type Case struct {
	Clients int
	Size    int // bytes of JSON of a state
	Change  contestant.Change
}

// cases returns all combinations.
func (c Config) cases() []Case {
	var cases []Case
	for _, clients := range c.Clients {
		for _, size := range c.Sizes {
			for _, change := range c.Changes {
				cases = append(cases, Case{clients, size, change})
			}
		}
	}

	return cases
}

// Traffic is the cost of updates for a contestant with a number of clients.
type Traffic struct {
	CPU     float64 // µs of the server's process in user and system mode, for each delivery
	Writes  float64 // writing system calls, for each delivery
	Bytes   float64 // received bytes, for each delivery
	Loads   float64 // loads of the feed, for each update
	IdleRSS float64 // KiB for each client before the traffic
	UsedRSS float64 // KiB for each client after the traffic
	Held    float64 // KiB of heap and stacks for each client after the traffic
}

// Clients and updates before the measure, and the minimum of measured updates.
const (
	warmClients = 10
	warmUpdates = 3
	minUpdates  = 5
)

// Traffic measures one contestant with the case's number of clients, or as many as it may have. It sends an update only after all clients have received the previous one, so
// that each delivery is one write.
func (b *Bench) Traffic(ctx context.Context, name string, c Case) (result Traffic, err error) {
	kind, err := contestant.KindOf(name)
	if err != nil {
		return result, err
	}
	n := c.Clients
	if kind.Most > 0 {
		n = min(n, kind.Most)
	}
	s, err := b.session(ctx, name, c.Size, c.Change)
	if err != nil {
		return result, err
	}
	defer s.close(&err)
	none, err := s.warm(ctx)
	if err != nil {
		return result, fmt.Errorf("warm up: %w", err)
	}
	if err := s.connect(ctx, n); err != nil {
		return result, err
	}
	idle, err := s.server.Settled()
	if err != nil {
		return result, err
	}
	result, err = s.traffic(ctx, n, max(minUpdates, b.config.Deliveries/c.Clients))
	if err != nil {
		return result, err
	}
	used, err := s.server.Settled()
	if err != nil {
		return result, err
	}
	result.IdleRSS = kibibytes(idle.RSS-none.RSS) / float64(n)
	result.UsedRSS = kibibytes(used.RSS-none.RSS) / float64(n)
	result.Held = kibibytes(used.Heap+used.Stacks-none.Heap-none.Stacks) / float64(n)

	return result, nil
}

// warm makes the server use all of its code, and returns its usage without clients.
func (s *session) warm(ctx context.Context) (server.Usage, error) {
	if err := s.connect(ctx, warmClients); err != nil {
		return server.Usage{}, err
	}
	if err := s.updates(ctx, warmUpdates); err != nil {
		return server.Usage{}, err
	}
	if err := s.fleet.Cut(); err != nil {
		return server.Usage{}, err
	}

	return s.server.Settled()
}

// traffic sends updates to n clients.
func (s *session) traffic(ctx context.Context, n, updates int) (Traffic, error) {
	if err := s.updates(ctx, warmUpdates); err != nil {
		return Traffic{}, err
	}
	before, err := s.server.Usage()
	if err != nil {
		return Traffic{}, err
	}
	received := s.fleet.Received()
	if err := s.updates(ctx, updates); err != nil {
		return Traffic{}, err
	}
	after, err := s.server.Usage()
	if err != nil {
		return Traffic{}, err
	}
	deliveries := float64(n * updates)

	return Traffic{
		CPU:    float64((after.CPU - before.CPU).Nanoseconds()) / 1000 / deliveries,
		Writes: float64(after.Writes-before.Writes) / deliveries,
		Bytes:  float64(s.fleet.Received()-received) / deliveries,
		Loads:  float64(after.Loads-before.Loads) / float64(updates),
	}, nil
}

func kibibytes(n int64) float64 { return float64(n) / 1024 }

func mebibytes(n int64) float64 { return kibibytes(n) / 1024 }
