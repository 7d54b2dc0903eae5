//go:build linux

// Package measure measures contestants side by side. Each measure starts a server in a process of its own, holds the
// clients in this process, and reads the usage of the server's process.
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

// Config is the configuration of a [Bench].
type Config struct {
	Contestants  []string
	Rounds       int   // number of rounds; in each the contestants take turns
	Clients      []int // numbers of clients to measure traffic with
	Deliveries   int   // minimum of deliveries of traffic; at least five updates are sent
	Sizes        []int // bytes of JSON of a state, in the measure of traffic; the first also of reconnects and memory
	Changes      []contestant.Change
	Centrifugo   string        // path of the program; only its contestants need it
	Stalled      int           // clients that do not read, and as many that do; 0 skips the measure
	StalledSize  int           // bytes of JSON of a state in this measure
	Updates      int           // updates without, and again with, clients that do not read
	Interval     time.Duration // between the starts of two of these updates; longer if clients need longer
	Reconnecting int           // clients that reconnect at once; 0 skips the measure
	Idle         int           // idle clients whose memory is measured; 0 skips the measure
	Patience     time.Duration // limit for an update to reach all clients, and for goroutines to end
}

// Validate returns all problems of the configuration, joined.
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
		{"idle clients", c.Idle, 0},
	} {
		if number.value < number.least {
			errs = append(errs, fmt.Errorf("number of %s is %d, must be at least %d", number.name, number.value, number.least))
		}
	}
	if len(c.Sizes) == 0 || len(c.Changes) == 0 {
		errs = append(errs, errors.New("no size or no change"))
	}
	if c.Interval <= 0 || c.Patience <= 0 {
		errs = append(errs, fmt.Errorf("interval %s and patience %s must be positive", c.Interval, c.Patience))
	}

	return errors.Join(errs...)
}

// whole returns the contestants that are measured with stalled and with reconnecting clients.
func (c Config) whole() []string {
	return slices.DeleteFunc(slices.Clone(c.Contestants), func(name string) bool {
		return !slices.Contains(contestant.Whole(), name)
	})
}

func (c Config) size() int { return c.Sizes[0] }

// atOnce is how many clients connect at a time, except where connecting is measured.
const atOnce = 200

// connecting limits how long all clients may take to connect and to receive a state.
const connecting = time.Minute

// files is the number of files that a process may need besides its connections.
const files = 200

// Bench measures contestants. Only one goroutine may use it.
type Bench struct {
	config     Config
	recordings map[int]contestant.Recording
}

// New returns a Bench. If the floor is to be measured, New records the bytes that feedmill sends.
func New(ctx context.Context, config Config) (*Bench, error) {
	most := max(2*config.Stalled, config.Reconnecting, config.Idle)
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
	for _, size := range append([]int{config.StalledSize}, config.Sizes...) {
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
	path     string // of the stream
	patience time.Duration
	last     server.Published // the last published state
}

func (b *Bench) session(ctx context.Context, name string, size int, change contestant.Change) (*session, error) {
	return b.sessionOf(ctx, server.Spec{Contestant: name, Size: size, Change: change})
}

// profiledSession is session with a server that records who allocates memory.
func (b *Bench) profiledSession(ctx context.Context, name string, size int) (*session, error) {
	return b.sessionOf(ctx, server.Spec{Contestant: name, Size: size, Change: contestant.NewPost, Profile: true})
}

func (b *Bench) sessionOf(ctx context.Context, spec server.Spec) (*session, error) {
	kind, err := contestant.KindOf(spec.Contestant)
	if err != nil {
		return nil, err
	}
	spec.Options = contestant.Options{Recording: b.recordings[spec.Size], Centrifugo: b.config.Centrifugo}
	process, err := server.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	fleet, err := load.NewFleet(process.Address(), load.Stream{Path: kind.Path, Encoding: kind.Encoding, Opaque: kind.Opaque})
	if err != nil {
		return nil, errors.Join(err, process.Close())
	}

	return &session{server: process, fleet: fleet, path: kind.Path, patience: b.config.Patience}, nil
}

// connect adds clients and waits until each has a state.
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

// publish changes the state and makes the fleet expect it.
func (s *session) publish() (err error) {
	if s.last, err = s.server.Publish(); err != nil {
		return err
	}
	s.fleet.Expect(s.last.N, s.last.At)

	return nil
}

// updates sends n updates, each when the one before has arrived as a whole.
func (s *session) updates(ctx context.Context, n int) error {
	for range n {
		if err := errors.Join(s.update(ctx), s.fleet.Settle(ctx)); err != nil {
			return err
		}
	}

	return nil
}

func (s *session) failures() error {
	if n, err := s.fleet.Failures(); n > 0 {
		return fmt.Errorf("%d clients failed, the first with: %w", n, err)
	}

	return nil
}

func (s *session) close(err *error) {
	*err = errors.Join(*err, s.fleet.Close(), s.server.Close())
}
