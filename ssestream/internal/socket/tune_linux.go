package socket

import "time"

// Options of tcp(7) that package syscall does not name.
const (
	optDead   = 18 // TCP_USER_TIMEOUT, milliseconds
	optUnsent = 25 // TCP_NOTSENT_LOWAT, bytes
)

func tuned(dead time.Duration) options {
	return options{dead: int(dead.Milliseconds()), unsent: Unsent}
}
