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
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what the server's process has used so far, and the memory that it holds. Of an external program Stacks and Heap are
// known where it is settled, and Goroutines are not.
type Usage struct {
	CPU        time.Duration // in user and system mode, from the clock of the process
	RSS        int64         // resident memory in bytes, from VmRSS of /proc/PID/status
	Stacks     int64         // of goroutines, in bytes
	Heap       int64         // alive, in bytes
	Goroutines int
	Loads      int64 // of the feed
	Writes     int64 // writing system calls, from syscw of /proc/PID/io
	Written    int64 // written bytes, from wchar of /proc/PID/io
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

// readMemory reads what this process says of its memory.
func (u *Usage) readMemory(settled bool) {
	if settled {
		settle()
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	u.Stacks = int64(memory.StackInuse) //nolint:gosec // G115: not that much
	u.Heap = int64(memory.HeapAlloc)    //nolint:gosec // G115: not that much
	u.Goroutines = runtime.NumGoroutine()
}

// readProcess reads what the kernel says of a process.
func (u *Usage) readProcess(pid int) error {
	var clock unix.Timespec
	// The number of a process's clock, see clock_getcpuclockid(3).
	if err := unix.ClockGettime(int32(^pid<<3|2), &clock); err != nil { //nolint:gosec // G115: a process's number is small
		return fmt.Errorf("read CPU time: %w", err)
	}
	status, err := readFields(fmt.Sprintf("/proc/%d/status", pid), "VmRSS")
	if err != nil {
		return err
	}
	io, err := readFields(fmt.Sprintf("/proc/%d/io", pid), "syscw", "wchar")
	if err != nil {
		return err
	}
	u.CPU, u.RSS = time.Duration(clock.Nano()), status["VmRSS"]<<10
	u.Writes, u.Written = io["syscw"], io["wchar"]

	return nil
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
