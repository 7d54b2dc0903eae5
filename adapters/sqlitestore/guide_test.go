package sqlitestore_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheGuideShowsTheRecipe as it is.
func TestTheGuideShowsTheRecipe(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/outbox.md")
	require.NoError(t, err)
	for _, file := range []string{"example_recipe_test.go", "../../integration/mysqlstore/recipe_test.go"} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		_, recipe, _ := strings.Cut(string(source), "func (b *bank) withdraw")
		recipe, _, _ = strings.Cut(recipe, "\n}\n")
		recipe = strings.ReplaceAll(recipe, "//nolint:errcheck // does", "// does")
		require.Contains(t, string(guide), recipe, file)
	}
}
