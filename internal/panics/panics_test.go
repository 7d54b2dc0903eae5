package panics_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/internal/panics"
)

func fails() { panic("a bug") }

// TestCatchKeepsTheStackOfAPanic, also if the panic is raised again in another goroutine and caught there.
func TestCatchKeepsTheStackOfAPanic(t *testing.T) {
	t.Parallel()
	raised := panics.Catch(func() { panic(panics.Catch(fails)) })
	require.NotNil(t, raised)
	require.Equal(t, "a bug", raised.Reason)
	require.Contains(t, string(raised.Stack), "panics_test.fails")
	require.Contains(t, raised.String(), "a bug")
	require.Nil(t, panics.Catch(func() {}))
}

// nilError panics if it is nil and asked for its cause.
type nilError struct{ cause error }

func (*nilError) Error() string   { return "an error" }
func (e *nilError) Unwrap() error { return e.cause }

// nilTextError panics if it is nil and asked for its text.
type nilTextError struct{ text string }

func (e *nilTextError) Error() string { return e.text }

func TestCatchErrorAsksTheErrorWhatItIs(t *testing.T) {
	t.Parallel()
	for _, returned := range []error{nil, errors.ErrUnsupported, &nilError{}, &nilError{cause: errors.ErrUnsupported}} {
		raised, err := panics.CatchError(func() error { return returned })
		require.Nil(t, raised)
		require.Equal(t, returned, err)
	}
	for _, returned := range []error{(*nilTextError)(nil), (*nilError)(nil), errors.Join(errors.ErrUnsupported, &nilError{cause: (*nilError)(nil)})} {
		raised, _ := panics.CatchError(func() error { return returned })
		require.NotNil(t, raised)
		require.Contains(t, string(raised.Stack), "panics_test.(*nil", "where it is")
	}
}
