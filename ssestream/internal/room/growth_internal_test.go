package room

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestNoTailBeyondTheText whatever a client is believed to have: a panic of who writes to it would end the process.
func TestNoTailBeyondTheText(t *testing.T) {
	t.Parallel()
	g := NewGrowth([]byte(`"one"`), "id", false)
	assert.True(t, g.continues(0, len(`"one"`)))
	assert.False(t, g.continues(0, len(`"one"`)+1))
	assert.False(t, g.continues(0, 0))
}
