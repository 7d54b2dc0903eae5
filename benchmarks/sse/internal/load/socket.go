//go:build linux

package load

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// AllowFiles raises the limit of open files of this process, and of those that it starts, to n. It fails if the hard limit
// is lower and may not be raised.
func AllowFiles(n int) error {
	need := uint64(n) //nolint:gosec // G115: a count
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read limit of open files: %w", err)
	}
	raised := syscall.Rlimit{Cur: max(limit.Cur, need), Max: max(limit.Max, need)}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
		return fmt.Errorf("raise limit of open files from %d to %d (ulimit -Hn): %w", limit.Max, need, err)
	}

	return nil
}

// dial starts a connection from a loopback address that is the client's own, as browsers have. It does not wait: the socket
// becomes writable when it is connected.
func dial(server netip.AddrPort, network byte, client int) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	if err := connect(fd, server, source(network, client)); err != nil {
		return -1, errors.Join(fmt.Errorf("connect to %s: %w", server, err), unix.Close(fd))
	}

	return fd, nil
}

func connect(fd int, server netip.AddrPort, from *unix.SockaddrInet4) error {
	// With this option the kernel chooses the port in connect, where it knows both ends. Otherwise ports run out.
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return err
	}
	if err := unix.Bind(fd, from); err != nil {
		return err
	}
	err := unix.Connect(fd, &unix.SockaddrInet4{Addr: server.Addr().As4(), Port: int(server.Port())})
	if errors.Is(err, unix.EINPROGRESS) {
		return nil
	}

	return err
}

// hosts is the number of addresses that differ in the last byte only.
const hosts = 250

func source(network byte, client int) *unix.SockaddrInet4 {
	high, low := client/hosts%256, 1+client%hosts

	return &unix.SockaddrInet4{Addr: [4]byte{127, network, byte(high), byte(low)}} //nolint:gosec // G115: below 256
}
