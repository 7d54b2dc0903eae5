//go:build linux

// Package measure measures contestants side by side: each measure starts a server in a process of its own, holds the
// clients in this one, and reads what the server's process used.
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

// Config is how much is measured.
type Config struct {
	Contestants  []string
	Rounds       int           // how often everything is measured, the contestants in turn
	Clients      []int         // numbers of clients to measure traffic with
	Deliveries   int           // of traffic, at least: as many updates as are needed, and five at the least
	Size         int           // of a state of traffic and reconnects, in bytes of JSON
	Stalled      int           // clients that do not read, and as many that do; 0 leaves the measure out
	StalledSize  int           // of a state for them
	Updates      int           // for them, once without and once with those that do not read
	Interval     time.Duration // between the starts of two of these updates, or longer if clients need longer
	Reconnecting int           // clients that reconnect at once; 0 leaves the measure out
	Patience     time.Duration // how long an update may take to reach all clients, and goroutines to end
}

// Validate reports everything that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	for _, number := range []struct {
		name         string
		value, least int
	}{
		{"rounds", c.Rounds, 1},
		{"deliveries", c.Deliveries, 1},
		{"stalled clients", c.Stalled, 0},
		{"updates", c.Updates, 1},
		{"reconnecting clients", c.Reconnecting, 0},
	} {
		if number.value < number.least {
			errs = append(errs, fmt.Errorf("number of %s is less than %d: %d", number.name, number.least, number.value))
		}
	}
	if c.Interval <= 0 || c.Patience <= 0 {
		errs = append(errs, fmt.Errorf("interval %s or patience %s is not positive", c.Interval, c.Patience))
	}

	return errors.Join(errs...)
}

// atOnce is how many clients connect at a time where it is not what is measured.
const atOnce = 200

// connecting is how long clients may take to connect and to have a state, all of them.
const connecting = time.Minute

// files is what a process may need to have open beside its connections.
const files = 200

// Bench measures. It is for one goroutine.
type Bench struct {
	config     Config
	recordings map[int]contestant.Recording
}

// New prepares to measure. For the floor, if that is to be measured, it records what feedmill sends.
func New(ctx context.Context, config Config) (*Bench, error) {
	most := max(2*config.Stalled, config.Reconnecting)
	for _, n := range config.Clients {
		most = max(most, n)
	}
	if err := load.AllowFiles(most + files); err != nil {
		return nil, err
	}
	b := &Bench{config: config, recordings: map[int]contestant.Recording{}}
	if !slices.Contains(config.Contestants, contestant.Floor) {
		return b, nil
	}
	for _, size := range []int{config.Size, config.StalledSize} {
		var err error
		if b.recordings[size], err = record(ctx, size); err != nil {
			return nil, err
		}
	}

	return b, nil
}

// session is one server with its clients.
type session struct {
	server   *server.Process
	fleet    *load.Fleet
	patience time.Duration
	last     server.Published // what update published
}

func (b *Bench) session(ctx context.Context, name string, size int) (*session, error) {
	process, err := server.Start(ctx, server.Spec{Contestant: name, Size: size, Recording: b.recordings[size]})
	if err != nil {
		return nil, err
	}
	fleet, err := load.NewFleet(process.Address(), contestant.Path)
	if err != nil {
		return nil, errors.Join(err, process.Close())
	}

	return &session{server: process, fleet: fleet, patience: b.config.Patience}, nil
}

// connect adds clients, each of which has to get a state in time.
func (s *session) connect(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, connecting)
	defer cancel()
	if err := s.fleet.Connect(ctx, n, atOnce, ""); err != nil {
		return err
	}

	return s.failures()
}

// update changes the state and waits until all clients have it.
func (s *session) update(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	if err := s.publish(); err != nil {
		return err
	}
	if err := s.fleet.Await(ctx); err != nil {
		return err
	}

	return s.failures()
}

// publish changes the state, which the fleet then expects.
func (s *session) publish() (err error) {
	if s.last, err = s.server.Publish(); err != nil {
		return err
	}
	s.fleet.Expect(s.last.N, s.last.At)

	return nil
}

func (s *session) updates(ctx context.Context, n int) error {
	for range n {
		if err := s.update(ctx); err != nil {
			return err
		}
	}

	return nil
}

func (s *session) failures() error {
	if n, err := s.fleet.Failures(); n > 0 {
		return fmt.Errorf("%d clients failed, the first: %w", n, err)
	}

	return nil
}

func (s *session) close(err *error) {
	*err = errors.Join(*err, s.fleet.Close(), s.server.Close())
}
