//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Stalled is a number of clients that request a stream and never read.
type Stalled struct {
	fds []int
}

const (
	stalledNetwork = 2
	smallest       = 1    // the kernel raises it to its minimum of about 2 KiB
	ethernet       = 1460 // bytes a segment
)

// Stall connects n clients that never read. It uses receive buffers of the minimum size and segments of Ethernet's size. With
// the large segments of loopback, the server's kernel would buffer megabytes for each client.
func Stall(ctx context.Context, server netip.AddrPort, path string, n int) (*Stalled, error) {
	s := &Stalled{}
	request := Request(server, path, "", "")
	for i := range n {
		fd, err := stall(ctx, server, i, request)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("connect stalled client: %w", err), s.Close())
		}
		s.fds = append(s.fds, fd)
	}

	return s, nil
}

func stall(ctx context.Context, server netip.AddrPort, i int, request []byte) (int, error) {
	if err := ctx.Err(); err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, smallest)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, ethernet)
	}
	if err == nil {
		err = connect(fd, server, source(stalledNetwork, i))
	}
	if err == nil {
		_, err = unix.Write(fd, request)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}

	return fd, nil
}

// Await waits until each client is connected and its response has begun.
func (s *Stalled) Await(ctx context.Context) error {
	for i, fd := range s.fds {
		for readable := 0; readable <= 0; {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("wait for responses to stalled clients, %d have begun: %w", i, err)
			}
			var err error
			poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // G115: descriptors are small
			readable, err = unix.Poll(poll, int(pollInterval.Milliseconds()))
			if err != nil && !errors.Is(err, unix.EINTR) {
				return fmt.Errorf("wait for responses to stalled clients: %w", err)
			}
		}
	}

	return nil
}

// Close disconnects all clients.
func (s *Stalled) Close() error {
	errs := make([]error, 0, len(s.fds))
	for _, fd := range s.fds {
		errs = append(errs, unix.Close(fd))
	}
	s.fds = nil

	return errors.Join(errs...)
}
