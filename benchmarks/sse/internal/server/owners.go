//go:build linux

package server

import (
	"runtime"
	"strings"
)

// owners returns how many bytes of the heap each package holds, of what was allocated since the process measures that. What
// a package of small things allocated is its caller's, and what the runtime allocated for itself, such as goroutines, is "runtime".
func owners() map[string]int64 {
	settle()
	n, _ := runtime.MemProfile(nil, true)
	records := make([]runtime.MemProfileRecord, 2*n)
	n, _ = runtime.MemProfile(records, true) // There are not twice as many now.
	held := map[string]int64{}
	for i := range records[:n] {
		held[owner(records[i].Stack())] += records[i].InUseBytes()
	}

	return held
}

func owner(stack []uintptr) string {
	frames := runtime.CallersFrames(stack)
	for {
		frame, more := frames.Next()
		switch name := packageOf(frame.Function); {
		case strings.HasPrefix(name, "github.com/feedmill/feedmill/ssestream"):
			return "ssestream"
		case strings.HasPrefix(name, "net") && name != "net/url":
			return name
		case strings.HasPrefix(name, "github.com/tmaxmax") || strings.HasPrefix(name, "github.com/r3labs") ||
			strings.HasPrefix(name, "github.com/ThreeDotsLabs") || strings.HasPrefix(name, "github.com/starfederation"):
			return name
		case !more:
			return "runtime"
		}
	}
}

// packageOf returns the path of a function's package.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	name, _, _ := strings.Cut(function[slash:], ".")

	return function[:slash] + name
}
