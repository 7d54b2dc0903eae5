//go:build linux

package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/contestant"
	"github.com/feedmill/feedmill/benchmarks/sse/internal/load"
	"github.com/feedmill/feedmill/benchmarks/sse/internal/server"
)

// Stall is the measure of clients that do not read, beside live clients.
type Stall struct {
	Without float64 // 99th percentile of the live clients' times from publishing to receipt in ms, without stalled clients
	With    float64 // the same with stalled clients; meaningless if Stuck
	Stuck   bool    // updates no longer reached the live clients

	Offered float64 // KiB of updates for each stalled client
	Taken   float64 // KiB that the server could write to each stalled client

	RSS, StalledRSS               float64 // maximum in MiB, without and with stalled clients
	Goroutines, StalledGoroutines int     // maximum, without and with stalled clients
	Left                          int     // additional goroutines after the stalled clients have left
}

// Stall measures one contestant. Updates are sent at an interval, first to live clients alone, and then while as many
// others do not read.
func (b *Bench) Stall(ctx context.Context, name string) (result Stall, err error) {
	s, err := b.session(ctx, name, b.config.StalledSize, contestant.NewPost)
	if err != nil {
		return result, err
	}
	defer s.close(&err)
	if err := s.connect(ctx, b.config.Stalled); err != nil {
		return result, err
	}
	if err := s.updates(ctx, warmUpdates); err != nil {
		return result, err
	}
	before, err := s.paced(ctx, b.config)
	if err != nil {
		return result, err
	}
	at, err := s.server.Usage()
	if err != nil {
		return result, err
	}
	during, err := s.besideStalled(ctx, b.config)
	result.Stuck = errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
	if err != nil && !result.Stuck {
		return result, err
	}
	if result.Left, err = s.left(ctx, at.Goroutines); err != nil {
		return result, err
	}
	n := int64(b.config.Stalled)
	result.Without, result.With = percentile99(before.receipts), percentile99(during.receipts)
	result.Offered = kibibytes(int64(during.updates) * int64(b.config.StalledSize))
	result.Taken = kibibytes((during.last.Written - at.Written - during.received) / n)
	result.RSS, result.StalledRSS = mebibytes(before.rss), mebibytes(during.rss)
	result.Goroutines, result.StalledGoroutines = before.goroutines, during.goroutines
	if !result.Stuck && result.Taken > result.Offered/2 {
		return result, fmt.Errorf("stalled clients took %.0f of %.0f KiB: send more or larger updates",
			result.Taken, result.Offered)
	}

	return result, nil
}

// paced is what was seen during updates at an interval.
type paced struct {
	updates    int
	receipts   []time.Duration
	received   int64 // bytes that the live clients received
	rss        int64 // maximum
	goroutines int   // maximum
	last       server.Usage
}

// besideStalled sends the updates while as many clients do not read. These connect before the first update, and are
// disconnected in the end.
func (s *session) besideStalled(ctx context.Context, config Config) (p paced, err error) {
	stalled, err := load.Stall(ctx, s.server.Address(), s.path, config.Stalled)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, stalled.Close()) }()
	limited, cancel := context.WithTimeout(ctx, config.Patience)
	defer cancel()
	if err := stalled.Await(limited); err != nil {
		err = errors.Join(err, p.sample(s.server))

		return p, err
	}

	return s.paced(ctx, config)
}

// sampleEvery is the number of updates between two samples of the server's usage.
const sampleEvery = 10

func (s *session) paced(ctx context.Context, config Config) (p paced, err error) {
	received := s.fleet.Received()
	s.fleet.Time(true)
	defer func() {
		s.fleet.Time(false)
		p.receipts, p.received = s.fleet.Receipts(), s.fleet.Received()-received
		if sampleErr := p.sample(s.server); sampleErr != nil {
			err = errors.Join(err, sampleErr)
		}
	}()
	ticker := time.NewTicker(config.Interval)
	defer ticker.Stop()
	for p.updates < config.Updates {
		p.updates++
		if err := s.update(ctx); err != nil {
			return p, err
		}
		if p.updates%sampleEvery == 0 {
			if err := p.sample(s.server); err != nil {
				return p, err
			}
		}
		<-ticker.C
	}

	return p, nil
}

func (p *paced) sample(process *server.Process) error {
	u, err := process.Usage()
	if err != nil {
		return err
	}
	p.last, p.rss, p.goroutines = u, max(p.rss, u.RSS), max(p.goroutines, u.Goroutines)

	return nil
}

// left waits until the server has no more goroutines than before, and returns how many more it has in the end.
func (s *session) left(ctx context.Context, before int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		u, err := s.server.Usage()
		if err != nil {
			return 0, err
		}
		if u.Goroutines <= before {
			return 0, nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return u.Goroutines - before, nil
		}
	}
}

// percentile99 returns milliseconds.
func percentile99(receipts []time.Duration) float64 {
	if len(receipts) == 0 {
		return 0
	}
	slices.Sort(receipts)

	return float64(receipts[len(receipts)*99/100].Microseconds()) / 1000
}
