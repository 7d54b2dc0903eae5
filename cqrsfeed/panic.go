package cqrsfeed

import (
	"fmt"
	"runtime/debug"
)

// raisedPanic is a panic of another goroutine, raised again where the caller can recover from it, with the stack of
// where it was.
type raisedPanic struct {
	reason any
	stack  []byte
}

// catchPanic calls f and returns its panic, or nil.
func catchPanic(f func()) (raised *raisedPanic) {
	defer func() {
		reason := recover()
		if again, ok := reason.(*raisedPanic); ok {
			raised = again // it comes from further down
		} else if reason != nil {
			raised = &raisedPanic{reason, debug.Stack()}
		}
	}()
	f()
	return nil
}

// String is what an uncaught panic prints.
func (p *raisedPanic) String() string { return fmt.Sprintf("%v\n\n%s", p.reason, p.stack) }
