// Package panics carries a panic from one goroutine to another, so that the caller of concurrent work can recover
// from it.
package panics

import (
	"fmt"
	"runtime/debug"
)

// Raised is a panic of another goroutine, with the stack of where it was.
type Raised struct {
	Reason any
	Stack  []byte
}

// Catch calls f and returns its panic, or nil. A Raised that is raised again is returned as it is.
func Catch(f func()) (raised *Raised) {
	defer func() {
		reason := recover()
		if again, ok := reason.(*Raised); ok {
			raised = again
		} else if reason != nil {
			raised = &Raised{reason, debug.Stack()}
		}
	}()
	f()
	return nil
}

// String is what an uncaught panic prints.
func (p *Raised) String() string { return fmt.Sprintf("%v\n\n%s", p.Reason, p.Stack) }
