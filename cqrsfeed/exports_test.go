package cqrsfeed_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFewNamesAreExported: who begins with this package reads its names. What only authors of stores need is in package driver,
// and limits are in package limits.
func TestFewNamesAreExported(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			names = append(names, exportedNames(declaration)...)
		}
	}
	require.Contains(t, names, "Repository")
	assert.Less(t, len(names), 60, "%v", names)
}

// exportedNames returns the exported names of a package that a declaration adds. Methods and fields are not counted.
func exportedNames(declaration ast.Decl) []string {
	var identifiers []*ast.Ident
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			identifiers = append(identifiers, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				identifiers = append(identifiers, s.Name)
			case *ast.ValueSpec:
				identifiers = append(identifiers, s.Names...)
			}
		}
	}
	var names []string
	for _, identifier := range identifiers {
		if identifier.IsExported() {
			names = append(names, identifier.Name)
		}
	}
	return names
}
