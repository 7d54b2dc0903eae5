//go:build linux

// Package load has the clients. One goroutine with one buffer holds all connections, because the clients share the machine
// with the server that is measured.
package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Fleet is a number of clients that follow a feed. Only one goroutine may call its methods. It reads from the connections
// only while one of its methods waits.
type Fleet struct {
	server netip.AddrPort
	stream Stream
	epoll  int
	events []unix.EpollEvent
	buffer []byte

	request []byte
	clients []client
	opening int // clients that have no state yet
	failed  int
	failure error // why the first of them failed

	target   int64 // the state that Await waits for
	behind   int   // clients that have an older one
	sent     time.Time
	timing   bool
	receipts []time.Duration
	received int64
}

// Stream is what the clients request.
type Stream struct {
	Path     string
	Encoding string // the only one that the clients accept, "" for those of a browser
	Opaque   bool   // no state can be found in it, so that whatever arrives passes for the expected one
}

// client is one connection.
type client struct {
	fd     int
	asked  bool // the request is sent
	opened bool // the response has status 200
	failed bool
	parser parser
}

const (
	network      = 1       // of the clients' addresses
	bufferSize   = 1 << 16 // limit of one read
	eventsSize   = 256
	pollInterval = 100 * time.Millisecond // between two checks of the context
)

// NewFleet returns a fleet without clients.
func NewFleet(server netip.AddrPort, stream Stream) (*Fleet, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make epoll: %w", err)
	}

	return &Fleet{
		server: server, stream: stream, epoll: epoll,
		events: make([]unix.EpollEvent, eventsSize), buffer: make([]byte, bufferSize),
	}, nil
}

// Connect adds n clients, opens at most atOnce of them at a time, and waits until each has a state.
func (f *Fleet) Connect(ctx context.Context, n, atOnce int, lastEventID string) error {
	f.request = Request(f.server, f.stream.Path, f.stream.Encoding, lastEventID)
	for want := len(f.clients) + n; len(f.clients) < want || f.opening > 0; {
		for len(f.clients) < want && f.opening < atOnce {
			if err := f.open(); err != nil {
				return err
			}
		}
		if _, err := f.pump(ctx, pollInterval); err != nil {
			return fmt.Errorf("connect clients, %d of %d have no state: %w", want-len(f.clients)+f.opening, want, err)
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
	// The kernel returns Fd unchanged. It need not be a descriptor.
	event := unix.EpollEvent{Events: events, Fd: int32(i)} //nolint:gosec // G115: there are not that many clients
	if err := unix.EpollCtl(f.epoll, operation, f.clients[i].fd, &event); err != nil {
		return fmt.Errorf("watch connection: %w", err)
	}

	return nil
}

// Expect makes Await wait for state n, which was sent at that time.
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
		if _, err := f.pump(ctx, pollInterval); err != nil {
			return fmt.Errorf("wait for state %d, which %d clients do not have: %w", f.target, f.behind, err)
		}
	}

	return nil
}

// lull is how long nothing comes once an update has arrived.
const lull = 10 * time.Millisecond

// Settle reads until nothing comes for a while, so that the end of an update does not pass for the next.
func (f *Fleet) Settle(ctx context.Context) error {
	for {
		if n, err := f.pump(ctx, lull); n == 0 || err != nil {
			return err
		}
	}
}

// Time switches on or off that the fleet records how long each client waited for the expected state.
func (f *Fleet) Time(on bool) { f.timing = on }

// Receipts returns the recorded times and clears them.
func (f *Fleet) Receipts() []time.Duration {
	receipts := f.receipts
	f.receipts = nil

	return receipts
}

// Received returns how many bytes all clients have received.
func (f *Fleet) Received() int64 { return f.received }

// Failures returns how many clients were refused, received something else than a stream, or were disconnected since
// Connect or the last Cut, and the error of the first.
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

// Close disconnects all clients. The fleet cannot be used again.
func (f *Fleet) Close() error { return errors.Join(f.Cut(), unix.Close(f.epoll)) }
