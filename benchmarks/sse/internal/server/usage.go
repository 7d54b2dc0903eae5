//go:build linux

package server

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is what the server's process has used so far, and the memory that it holds.
type Usage struct {
	CPU        time.Duration // in user and system mode, from getrusage
	RSS        int64         // resident memory in bytes, from VmRSS of /proc/self/status
	Stacks     int64         // of goroutines, in bytes
	Heap       int64         // alive, in bytes
	Goroutines int
	Loads      int64 // of the feed
	Writes     int64 // writing system calls, from syscw of /proc/self/io
	Written    int64 // written bytes, from wchar of /proc/self/io
}

// collections is the number of garbage collections in settle. Each shrinks large stacks by half, and the second empties
// the pools.
const collections = 6

// settle brings the process into the state that it would reach after some minutes of idleness: garbage is collected, stacks
// have shrunk, and free memory is returned.
func settle() {
	for range collections {
		runtime.GC()
	}
	debug.FreeOSMemory()
}

func readUsage(loads int64) (Usage, error) {
	var times syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &times); err != nil {
		return Usage{}, fmt.Errorf("read CPU time: %w", err)
	}
	status, err := readFields("/proc/self/status", "VmRSS")
	if err != nil {
		return Usage{}, err
	}
	io, err := readFields("/proc/self/io", "syscw", "wchar")
	if err != nil {
		return Usage{}, err
	}

	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)

	return Usage{
		Stacks:     int64(memory.StackInuse), //nolint:gosec // G115: not that much
		Heap:       int64(memory.HeapAlloc),  //nolint:gosec // G115: not that much
		CPU:        time.Duration(times.Utime.Nano() + times.Stime.Nano()),
		RSS:        status["VmRSS"] << 10,
		Goroutines: runtime.NumGoroutine(),
		Loads:      loads,
		Writes:     io["syscw"],
		Written:    io["wchar"],
	}, nil
}

// readFields reads numbers from a file of lines such as "VmRSS:     1234 kB". A missing field is an error.
func readFields(file string, names ...string) (map[string]int64, error) {
	content, err := os.ReadFile(file) //nolint:gosec // G304: one of two files of /proc
	if err != nil {
		return nil, fmt.Errorf("read usage: %w", err)
	}
	values := make(map[string]int64, len(names))
	for scanner := bufio.NewScanner(bytes.NewReader(content)); scanner.Scan(); {
		name, rest, _ := strings.Cut(scanner.Text(), ":")
		if words := strings.Fields(rest); len(words) > 0 {
			if value, err := strconv.ParseInt(words[0], 10, 64); err == nil {
				values[name] = value
			}
		}
	}
	for _, name := range names {
		if _, ok := values[name]; !ok {
			return nil, fmt.Errorf("read usage: %s has no %s", file, name)
		}
	}

	return values, nil
}
