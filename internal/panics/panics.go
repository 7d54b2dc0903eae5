// Package panics carries a panic from one goroutine to another, so that the caller of concurrent work can recover
// from it.
package panics

import (
	"errors"
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

// CatchError is Catch for code of an application that returns an error. An error that panics when it is asked what it is, such
// as one with a nil pointer in its tree, counts as a panic of f: others ask it later.
func CatchError(f func() error) (raised *Raised, err error) {
	raised = Catch(func() {
		if err = f(); err != nil {
			_, _ = err.Error(), errors.Is(err, errNone)
		}
	})
	return raised, err
}

// errNone is in no tree, so that a search for it asks all errors of a tree.
var errNone = errors.New("")

// String is what an uncaught panic prints.
func (p *Raised) String() string { return fmt.Sprintf("%v\n\n%s", p.Reason, p.Stack) }
