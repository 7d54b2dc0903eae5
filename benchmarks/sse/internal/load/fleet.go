//go:build linux

// Package load has the clients: as many connections as are asked for, held by one goroutine with one buffer, for
// they share the machine with the server that is measured.
package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Fleet is clients that follow a feed. Its methods are for one goroutine, and read from the connections only while
// they wait for something.
type Fleet struct {
	server netip.AddrPort
	path   string
	epoll  int
	events []unix.EpollEvent
	buffer []byte

	request []byte
	clients []client
	opening int // clients that have no state yet
	failed  int
	failure error // of the first that failed

	target   int64 // the state that is waited for
	behind   int   // clients that have an older one
	sent     time.Time
	timing   bool
	receipts []time.Duration
	received int64
}

// client is one connection.
type client struct {
	fd     int
	asked  bool // the request is sent
	opened bool // the response is a good one
	failed bool
	parser parser
}

const (
	network    = 1       // of the addresses that fleets come from
	bufferSize = 1 << 16 // the most that is read at once
	eventsSize = 256
	glance     = 100 * time.Millisecond // between two looks at the context
)

// NewFleet returns a fleet without clients.
func NewFleet(server netip.AddrPort, path string) (*Fleet, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make epoll: %w", err)
	}

	return &Fleet{
		server: server, path: path, epoll: epoll,
		events: make([]unix.EpollEvent, eventsSize), buffer: make([]byte, bufferSize),
	}, nil
}

// Connect adds n clients, at most atOnce of them on their way at a time, and waits until each has a state.
func (f *Fleet) Connect(ctx context.Context, n, atOnce int, lastEventID string) error {
	f.request = Request(f.server, f.path, lastEventID)
	for want := len(f.clients) + n; len(f.clients) < want || f.opening > 0; {
		for len(f.clients) < want && f.opening < atOnce {
			if err := f.open(); err != nil {
				return err
			}
		}
		if err := f.pump(ctx); err != nil {
			return fmt.Errorf("connect clients, %d of %d are not there: %w", want-len(f.clients)+f.opening, want, err)
		}
	}

	return nil
}

func (f *Fleet) open() error {
	i := len(f.clients)
	fd, err := dial(f.server, network, i)
	if err != nil {
		return err
	}
	f.clients = append(f.clients, client{fd: fd})
	f.opening++
	if f.target > 0 {
		f.behind++
	}

	return f.control(unix.EPOLL_CTL_ADD, i, unix.EPOLLIN|unix.EPOLLOUT)
}

func (f *Fleet) control(operation, i int, events uint32) error {
	// The kernel hands back the number that is in Fd, which need not be a descriptor.
	event := unix.EpollEvent{Events: events, Fd: int32(i)} //nolint:gosec // G115: there are not that many clients
	if err := unix.EpollCtl(f.epoll, operation, f.clients[i].fd, &event); err != nil {
		return fmt.Errorf("watch connection: %w", err)
	}

	return nil
}

// Expect makes state n, which was sent at that time, the one that Await waits for.
func (f *Fleet) Expect(n int64, sent time.Time) {
	f.target, f.sent, f.behind = n, sent, 0
	for i := range f.clients {
		if c := &f.clients[i]; !c.failed && c.parser.newest < n {
			f.behind++
		}
	}
}

// Await waits until every client that has not failed has the expected state or a later one.
func (f *Fleet) Await(ctx context.Context) error {
	for f.behind > 0 {
		if err := f.pump(ctx); err != nil {
			return fmt.Errorf("wait for state %d, which %d clients do not have: %w", f.target, f.behind, err)
		}
	}

	return nil
}

// Time has the fleet record from now on, or not, how long after it was sent each client received the expected state.
func (f *Fleet) Time(on bool) { f.timing = on }

// Receipts returns the recorded times, and forgets them.
func (f *Fleet) Receipts() []time.Duration {
	receipts := f.receipts
	f.receipts = nil

	return receipts
}

// Received returns how many bytes all clients have received so far.
func (f *Fleet) Received() int64 { return f.received }

// Failures returns how many clients were refused, answered otherwise than with a stream, or disconnected since
// Connect or the last Cut, and why the first of them was.
func (f *Fleet) Failures() (int, error) { return f.failed, f.failure }

// Cut disconnects all clients.
func (f *Fleet) Cut() error {
	var errs []error
	for i := range f.clients {
		if c := &f.clients[i]; !c.failed {
			errs = append(errs, unix.Close(c.fd))
		}
	}
	f.clients, f.opening, f.behind, f.failed, f.failure = f.clients[:0], 0, 0, 0, nil

	return errors.Join(errs...)
}

// Close disconnects all clients for good.
func (f *Fleet) Close() error { return errors.Join(f.Cut(), unix.Close(f.epoll)) }
