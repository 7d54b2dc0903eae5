package post_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/post"
)

// TestStationsAreInTheCode checks that each place that a post of the first start names is there.
func TestStationsAreInTheCode(t *testing.T) {
	t.Parallel()
	for _, s := range post.Stations() {
		require.True(t, declares(t, filepath.Join("../../..", s.File), s.Name), "%s does not declare %s", s.File, s.Name)
	}
}

// declares reports whether a Go or TypeScript file declares a name.
func declares(t *testing.T, file, name string) bool {
	t.Helper()
	source, err := os.ReadFile(file)
	require.NoError(t, err)
	if strings.HasSuffix(file, ".ts") {
		return regexp.MustCompile(`export (class|function|const) ` + name + `\b`).Match(source)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.SkipObjectResolution)
	require.NoError(t, err)
	found := false
	for _, declaration := range parsed.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			found = found || d.Name.Name == name
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				typed, ok := spec.(*ast.TypeSpec)
				found = found || ok && typed.Name.Name == name
			}
		}
	}
	return found
}

func TestWelcomeTellsTheWayFromTheTop(t *testing.T) {
	t.Parallel()
	posts, err := post.Welcome()
	require.NoError(t, err)
	require.Len(t, posts, len(post.Stations()))
	require.True(t, strings.HasPrefix(posts[len(posts)-1].Title, "1. "))
	require.True(t, strings.HasPrefix(posts[0].Title, "12. "))
	require.Contains(t, posts[0].Content, "Code: `StreamClient` in `clients/typescript/src/client.ts`")
	for _, p := range posts {
		require.NotEmpty(t, p.Tags)
	}
}
