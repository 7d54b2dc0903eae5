// Package panics keeps a panic of an application's code from ending the process: it becomes an error, or one of the
// goroutine that called for concurrent work, which can recover from it.
package panics

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/internal/telemetry"
)

// Raised is a panic, with the stack of where it was.
type Raised struct {
	Reason any
	Stack  []byte
}

// Catch calls f and returns its panic, or nil.
func Catch(f func()) (raised *Raised) {
	defer func() {
		if reason := recover(); reason != nil {
			raised = &Raised{reason, debug.Stack()}
		}
	}()
	f()
	return nil
}

// CatchError is Catch for code of an application that returns an error. The error is asked for its text, and, as errors.Is
// and errors.As do, what it is. If that panics, such as with a nil pointer in its tree, it counts as a panic of f: others ask
// the error later. An error that panics for some targets only is not found out.
func CatchError(f func() error) (raised *Raised, err error) {
	raised = Catch(func() {
		if err = f(); err != nil {
			_, _, _ = err.Error(), errors.Is(err, errNone), errors.As(err, new(noError))
		}
	})
	return raised, err
}

// errNone and noError are in no tree, so that a search for them does not end early.
var errNone = errors.New("")

type noError struct{ error }

// errGoexit is the Reason of a runtime.Goexit.
var errGoexit = errors.New("runtime.Goexit was called")

// Raise goes on with p, unless it is nil: with a panic of the same value, or with a runtime.Goexit. The stack of the panic is
// in the log only. A nil logger logs through slog.Default. As by net/http, http.ErrAbortHandler is not logged.
func (p *Raised) Raise(logger watermill.LoggerAdapter, fields watermill.LogFields) {
	switch {
	case p == nil:
		return
	case p.Reason == errGoexit: //nolint:errorlint // only itself
		runtime.Goexit()
	case p.Reason != http.ErrAbortHandler: //nolint:errorlint // as net/http compares
		telemetry.Logger(logger).Error("Panic on another goroutine", fmt.Errorf("panic: %v", p.Reason),
			fields.Add(watermill.LogFields{"stack": string(p.Stack)}))
	}
	panic(p.Reason)
}

// String is the reason and the stack.
func (p *Raised) String() string { return fmt.Sprintf("%v\n\n%s", p.Reason, p.Stack) }
