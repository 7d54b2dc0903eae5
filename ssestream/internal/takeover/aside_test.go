package takeover_test

import (
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/internal/takeover"
)

// TestAsideTellsAll that the function does.
func TestAsideTellsAll(t *testing.T) {
	t.Parallel()
	done := false
	assert.Nil(t, takeover.Aside(func() { done = true }))
	assert.True(t, done)

	raised := takeover.Aside(func() { panic(http.ErrAbortHandler) })
	require.NotNil(t, raised)
	assert.Equal(t, http.ErrAbortHandler, raised.Reason)
	assert.Contains(t, string(raised.Stack), "aside_test.go")

	ended := make(chan bool, 1)
	go func() {
		after := false
		defer func() { ended <- after }()
		takeover.Aside(runtime.Goexit)
		after = true
	}()
	assert.False(t, <-ended, "the goroutine must not go on")
}
