package panics_test

import (
	"errors"
	"net/http"
	"runtime"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/internal/panics"
	"github.com/feedmill/feedmill/internal/panics/panicstest"
)

func fails() { panic("a bug") }

func TestCatchKeepsTheStackOfAPanic(t *testing.T) {
	t.Parallel()
	raised := panics.Catch(fails)
	require.NotNil(t, raised)
	require.Equal(t, "a bug", raised.Reason)
	require.Contains(t, string(raised.Stack), "panics_test.fails")
	require.Contains(t, raised.String(), "a bug")
	require.Nil(t, panics.Catch(func() {}))
}

// oddError panics in the method of this name.
type oddError struct{ panics string }

func (e oddError) call(method string) {
	if method == e.panics {
		panic("a bug")
	}
}

func (e oddError) Error() string { e.call("Error"); return "an error" }
func (e oddError) Unwrap() error { e.call("Unwrap"); return errors.ErrUnsupported }
func (e oddError) Is(error) bool { e.call("Is"); return false }
func (e oddError) As(any) bool   { e.call("As"); return false }

func TestCatchErrorAsksTheErrorWhatItIs(t *testing.T) {
	t.Parallel()
	for _, returned := range []error{nil, errors.ErrUnsupported, oddError{}} {
		raised, err := panics.CatchError(func() error { return returned })
		require.Nil(t, raised)
		require.Equal(t, returned, err)
	}
	bad := []error{panicstest.NilError(), errors.Join(errors.ErrUnsupported, panicstest.NilError())}
	for _, method := range []string{"Error", "Unwrap", "Is", "As"} {
		bad = append(bad, oddError{method})
	}
	for _, returned := range bad {
		raised, _ := panics.CatchError(func() error { return returned })
		require.NotNil(t, raised, "%#v", returned)
	}
}

// TestAGroupTellsAll that its functions do.
func TestAGroupTellsAll(t *testing.T) {
	t.Parallel()
	var group panics.Group
	done := 0
	group.Go(func() { done++ })
	require.Nil(t, group.Wait())
	group.Go(func() { done++ })
	group.Go(fails)
	raised := group.Wait()
	require.Equal(t, "a bug", raised.Reason)
	require.Contains(t, string(raised.Stack), "panics_test.fails")
	require.Equal(t, 2, done)
	require.NotNil(t, panics.Aside(runtime.Goexit))
}

// TestRaiseGoesOn with the value of a panic, and logs its stack.
func TestRaiseGoesOn(t *testing.T) {
	t.Parallel()
	panics.Aside(func() {}).Raise(nil, nil)
	for _, value := range []any{"a bug", errors.ErrUnsupported, http.ErrAbortHandler} {
		logger := watermill.NewCaptureLogger()
		raised := panics.Aside(func() { panic(value) })
		require.PanicsWithValue(t, value, func() { raised.Raise(logger, watermill.LogFields{"a": 1}) })
		logged := logger.Captured()[watermill.ErrorLogLevel]
		if value == http.ErrAbortHandler { //nolint:errorlint // as net/http compares
			require.Empty(t, logged)
			continue
		}
		require.Len(t, logged, 1)
		require.Contains(t, logged[0].Fields["stack"], "panics_test.go")
		require.Equal(t, 1, logged[0].Fields["a"])
	}
	exited := panics.Aside(runtime.Goexit)
	again := panics.Aside(func() { exited.Raise(nil, nil) })
	require.Equal(t, exited, again, "not a panic, which would have a stack")
}
