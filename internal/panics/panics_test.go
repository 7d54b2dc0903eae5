package panics_test

import (
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
