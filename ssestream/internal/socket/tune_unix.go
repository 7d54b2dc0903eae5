//go:build linux || darwin

package socket

import "syscall"

func swapOf(fd int, o options) (before options) {
	before.dead, _ = syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, optDead)
	before.unsent, _ = syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, optUnsent)
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, optDead, o.dead)
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, optUnsent, o.unsent)

	return before
}
