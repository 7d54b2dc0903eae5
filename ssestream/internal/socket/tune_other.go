//go:build !linux && !darwin

package socket

import "time"

func tuned(time.Duration) options { return options{} }

// swapOf leaves it to TCP's keep-alive, which net/http has on.
func swapOf(int, options) options { return options{} }
