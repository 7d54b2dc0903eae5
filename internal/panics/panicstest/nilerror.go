// Package panicstest has an error that panics.
package panicstest

// NilError returns an error that is a nil pointer, which is not nil as an error. It panics when it is asked for its text or
// its cause.
func NilError() error { return (*nilError)(nil) }

type nilError struct{ cause error }

func (e *nilError) Error() string { return e.cause.Error() }
func (e *nilError) Unwrap() error { return e.cause }
