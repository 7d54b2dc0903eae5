package live_test

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

	"github.com/feedmill/feedmill/examples/microblog/live"
)

// TestStationsNameCodeThatIsThere, whatever the microblog runs on, and say all that the page shows.
func TestStationsNameCodeThatIsThere(t *testing.T) {
	t.Parallel()
	for _, servers := range []bool{false, true} {
		stations, err := live.Stations(func(string) bool { return servers })
		require.NoError(t, err)
		require.Len(t, stations, 8)
		for _, station := range stations {
			require.NotEmpty(t, station.Does, station.Name)
			require.NotEmpty(t, station.Runs, station.Name)
			require.NotEmpty(t, station.Else, station.Name)
			require.NotEmpty(t, station.Code, station.Name)
			for _, code := range station.Code {
				require.True(t, declares(t, filepath.Join("../../..", code.File), code.Name),
					"station %s: %s does not declare %s", station.Name, code.File, code.Name)
			}
		}
	}
}

// TestStationsOnServers: each part says on what it runs by itself.
func TestStationsOnServers(t *testing.T) {
	t.Parallel()
	stations, err := live.Stations(func(server string) bool { return server == "mongodb" })
	require.NoError(t, err)
	runs := map[string]string{}
	for _, station := range stations {
		runs[station.Name] = station.Runs + "/" + station.Service
	}
	require.Equal(t, "SQLite, in this process/", runs["write"])
	require.Equal(t, "MongoDB/mongo", runs["feeds"])
	require.Equal(t, "a function call/", runs["broker"])
}

// TestReadmeNamesCodeThatIsThere: a name that links to a file is declared in the file.
func TestReadmeNamesCodeThatIsThere(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	links := regexp.MustCompile("\\[`([\\w.]+)`\\]\\(([^)]+\\.(?:go|ts))\\)").FindAllStringSubmatch(string(readme), -1)
	require.Greater(t, len(links), 20)
	for _, link := range links {
		require.True(t, declares(t, filepath.Join("..", link[2]), link[1]), "README.md: %s does not declare %s", link[2], link[1])
	}
}

// declares reports whether a file declares a name, which is "Type.Method" for a method.
func declares(t *testing.T, file, name string) bool {
	t.Helper()
	if strings.HasSuffix(file, ".ts") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		return regexp.MustCompile(`export (class|function|const) ` + name + `\b`).Match(text)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	for _, declaration := range parsed.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if receiver(d)+d.Name.Name == name {
				return true
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if typed, ok := spec.(*ast.TypeSpec); ok && typed.Name.Name == name {
					return true
				}
			}
		}
	}
	return false
}

// receiver returns the type of a method's receiver and a dot, or "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	of := f.Recv.List[0].Type
	if pointer, ok := of.(*ast.StarExpr); ok {
		of = pointer.X
	}
	if generic, ok := of.(*ast.IndexExpr); ok {
		of = generic.X
	}
	if named, ok := of.(*ast.Ident); ok {
		return named.Name + "."
	}
	return ""
}
