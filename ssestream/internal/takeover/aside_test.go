package takeover_test

import (
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/internal/panics"
	"github.com/feedmill/feedmill/ssestream/internal/takeover"
)

// TestAsideBehavesLikeACall whatever the function does: middleware that recovers has to see it.
func TestAsideBehavesLikeACall(t *testing.T) {
	t.Parallel()
	done := false
	takeover.Aside(func() { done = true })
	assert.True(t, done)

	assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
		takeover.Aside(func() { panic(http.ErrAbortHandler) })
	})
	func() {
		defer func() {
			raised, ok := recover().(*panics.Raised)
			require.True(t, ok)
			assert.Equal(t, "boom", raised.Reason)
			assert.Contains(t, raised.String(), "aside_test.go", "the stack is kept")
		}()
		takeover.Aside(func() { panic("boom") })
	}()

	ended := make(chan bool, 1)
	go func() {
		after := false
		defer func() { ended <- after }()
		takeover.Aside(runtime.Goexit)
		after = true
	}()
	assert.False(t, <-ended, "the goroutine must not go on")
}
