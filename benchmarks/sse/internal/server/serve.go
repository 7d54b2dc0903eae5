//go:build linux

// Package server runs one contestant in a process of its own, so that the usage of the process is that of the server. The
// process is this program again; an environment variable makes it a server. Both talk in gobs over the server's standard
// input and output. The server ends when its input ends, so it never outlives its parent.
package server

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/contestant"
)

// variable is the environment variable that makes a process a server.
const variable = "FEEDMILL_BENCH_SERVER"

// Spec says which server a process is.
type Spec struct {
	Contestant string
	Size       int // bytes of JSON of a state
	Change     contestant.Change
	Options    contestant.Options
	Profile    bool // it records who allocates memory
}

// The commands.
const (
	publish = "publish" // changes the state and announces it
	usage   = "usage"
	settled = "settled" // usage after garbage collection
	holders = "holders" // of memory, for a server that records them
)

type command struct {
	Do string
}

// reply is the response to the spec, with an address, and to every command.
type reply struct {
	Error     string
	Address   string
	Published Published
	Usage     Usage
	Owners    map[string]int64
}

// Published is a state that the server announces.
type Published struct {
	N       int64
	EventID string
	At      time.Time // just before the announcement
}

// ServeIfAsked makes the process a server, and ends it afterwards, if it was started as one. A program that uses this
// package must call it first.
func ServeIfAsked() {
	if os.Getenv(variable) == "" {
		return
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve executes commands until in ends. Everything that it starts ends with the process.
func serve(in io.Reader, out io.Writer) error {
	commands, replies := gob.NewDecoder(in), gob.NewEncoder(out)
	var spec Spec
	if err := commands.Decode(&spec); err != nil {
		return fmt.Errorf("read spec: %w", err)
	}
	s, address, err := start(spec)
	if err != nil {
		return replies.Encode(reply{Error: err.Error()})
	}
	if err := replies.Encode(reply{Address: address}); err != nil {
		return fmt.Errorf("send address: %w", err)
	}
	for {
		var c command
		err := commands.Decode(&c)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read command: %w", err)
		}
		if err := replies.Encode(s.do(c)); err != nil {
			return fmt.Errorf("send reply: %w", err)
		}
	}
}

// serving is a contestant that serves.
type serving struct {
	feed          *contestant.Feed
	contestant    contestant.Contestant
	external      contestant.External // nil if this process serves
	announcements chan struct{}
	failure       func() error // returns why it has stopped serving
}

// backlog is how many announcements may wait for a contestant that is blocked by its clients.
const backlog = 1 << 16

func start(spec Spec) (*serving, string, error) {
	if spec.Profile {
		runtime.MemProfileRate = 1
	}
	feed, err := contestant.NewFeed(spec.Size, spec.Change)
	if err != nil {
		return nil, "", err
	}
	ctx, fail := context.WithCancelCause(context.Background())
	c, err := contestant.New(ctx, spec.Contestant, feed, spec.Options)
	if err != nil {
		fail(err)

		return nil, "", err
	}
	s := &serving{feed: feed, contestant: c, announcements: make(chan struct{}, backlog)}
	s.failure = func() error { return context.Cause(ctx) }
	go func() { fail(s.announce()) }()
	if external, ok := c.(contestant.External); ok {
		s.external = external

		return s, external.Address(), nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		fail(err)

		return nil, "", fmt.Errorf("listen: %w", err)
	}
	// Some contestants write an error to a client that has left, which net/http would log.
	web := &http.Server{Handler: c, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		if own, ok := c.(contestant.Server); ok {
			fail(own.Serve(ctx, web, listener))
		} else {
			fail(web.Serve(listener))
		}
	}()

	return s, listener.Addr().String(), nil
}

// announce runs in its own goroutine, because clients that do not read may block a contestant.
func (s *serving) announce() error {
	for range s.announcements {
		if err := s.contestant.Announce(); err != nil {
			return fmt.Errorf("announce: %w", err)
		}
	}

	return nil
}

func (s *serving) do(c command) reply {
	if err := s.failure(); err != nil {
		return reply{Error: err.Error()}
	}
	switch c.Do {
	case publish:
		at := time.Now()
		n := s.feed.Next()
		s.announcements <- struct{}{}

		return reply{Published: Published{N: n, EventID: s.contestant.EventID(n), At: at}}
	case holders:
		return reply{Owners: owners()}
	case usage, settled:
		u, err := s.usage(c.Do == settled)
		if err != nil {
			return reply{Error: err.Error()}
		}

		return reply{Usage: u}
	default:
		return reply{Error: fmt.Sprintf("unknown command %q", c.Do)}
	}
}

// usage returns that of the process that serves.
func (s *serving) usage(settled bool) (u Usage, err error) {
	pid := os.Getpid()
	switch {
	case s.external == nil:
		u.readMemory(settled)
	case settled:
		u.Heap, u.Stacks, err = s.external.Memory()

		fallthrough
	default:
		pid = s.external.PID()
	}
	if err == nil {
		err = u.readProcess(pid)
	}
	u.Loads = s.feed.Loads()

	return u, err
}
