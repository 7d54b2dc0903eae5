//go:build linux

package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// lastChunk ends a response on a connection that stays open. No event ends with these bytes.
const lastChunk = "0\r\n\r\n"

var errEnded = errors.New("response ended")

// pump waits for at most that long for events of the connections, handles them, and returns their number.
func (f *Fleet) pump(ctx context.Context, most time.Duration) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := unix.EpollWait(f.epoll, f.events, int(most.Milliseconds()))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return 0, fmt.Errorf("wait for connections: %w", err)
	}
	for _, event := range f.events[:max(n, 0)] {
		i := int(event.Fd)
		if f.clients[i].failed {
			continue
		}
		if err := f.handle(i, event.Events); err != nil {
			f.fail(i, err)
		}
	}

	return n, nil
}

func (f *Fleet) handle(i int, events uint32) error {
	if events&unix.EPOLLOUT != 0 && !f.clients[i].asked {
		if err := f.ask(i); err != nil {
			return err
		}
	}
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		return f.read(i)
	}

	return nil
}

// ask sends the request. A new socket always has room for it.
func (f *Fleet) ask(i int) error {
	c := &f.clients[i]
	if _, err := unix.Write(c.fd, f.request); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	c.asked = true

	return f.control(unix.EPOLL_CTL_MOD, i, unix.EPOLLIN)
}

// read reads once. Epoll reports what is left again.
func (f *Fleet) read(i int) error {
	c := &f.clients[i]
	kept := c.parser.keep(f.buffer)
	n, err := unix.Read(c.fd, f.buffer[kept:])
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("read: %w", err)
	case n == 0:
		return fmt.Errorf("read: %w", io.EOF)
	}
	f.received += int64(n)
	if !c.opened {
		if !bytes.HasPrefix(f.buffer[kept:kept+n], []byte("HTTP/1.1 200 ")) {
			line, _, _ := bytes.Cut(f.buffer[kept:kept+n], []byte("\r\n"))

			return fmt.Errorf("not a stream: %q", line)
		}
		c.opened = true
	}
	before := c.parser.newest
	if f.stream.Opaque {
		c.parser.newest = max(f.target, 1)
	} else {
		c.parser.parse(f.buffer[:kept+n])
	}
	f.update(before, c.parser.newest)
	if bytes.HasSuffix(f.buffer[:kept+n], []byte(lastChunk)) {
		return errEnded
	}

	return nil
}

// update records that a client has progressed from one state to another.
func (f *Fleet) update(before, now int64) {
	if before == 0 && now > 0 {
		f.opening--
	}
	if before < f.target && now >= f.target {
		f.behind--
		if f.timing {
			f.receipts = append(f.receipts, time.Since(f.sent))
		}
	}
}

func (f *Fleet) fail(i int, err error) {
	c := &f.clients[i]
	if c.parser.newest == 0 {
		f.opening--
	}
	if c.parser.newest < f.target {
		f.behind--
	}
	c.failed = true
	f.failed++
	if f.failure == nil {
		f.failure = err
	}
	_ = unix.Close(c.fd) // The client has failed already.
}
