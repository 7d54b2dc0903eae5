package takeover

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
)

// Aside runs f on a goroutine of its own and waits for it. A stack grows to what is needed at most and hardly ever
// shrinks: f, which parses, loads and writes, would leave 8 KB or more to a goroutine that then only waits for as
// long as a stream lasts, where 4 KB do.
//
// A panic of f continues on the caller's goroutine, and so does runtime.Goexit.
func Aside(f func()) {
	var returned bool
	var panicked any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if returned {
				return
			}
			panicked = recover()
			if err, ok := panicked.(error); panicked != nil && (!ok || !errors.Is(err, http.ErrAbortHandler)) {
				panicked = fmt.Errorf("%v\n\n%s", panicked, debug.Stack())
			}
		}()
		f()
		returned = true
	}()
	<-done
	switch {
	case returned:
	case panicked != nil:
		panic(panicked)
	default:
		runtime.Goexit()
	}
}
