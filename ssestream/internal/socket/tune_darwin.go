package socket

import "time"

// Options of netinet/tcp.h that package syscall does not name.
const (
	optDead   = 0x80  // TCP_RXT_CONNDROPTIME, seconds
	optUnsent = 0x201 // TCP_NOTSENT_LOWAT, bytes
)

func tuned(dead time.Duration) options {
	return options{dead: max(1, int(dead.Seconds())), unsent: Unsent}
}
