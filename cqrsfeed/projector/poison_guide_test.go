package projector_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestThePoisonGuideHasTheExample as it runs.
func TestThePoisonGuideHasTheExample(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/poison.md")
	require.NoError(t, err)
	source, err := os.ReadFile("example_poison_test.go")
	require.NoError(t, err)
	_, recipe, found := strings.Cut(string(source), "func replay(")
	require.True(t, found)
	recipe, _, _ = strings.Cut(recipe, "\n}\n")
	require.Contains(t, string(guide), recipe)
}
