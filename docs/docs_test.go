// Package docs_test holds the documents to what is true of the code.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = ".."

// TestGoCodeOfDocumentsIsCompiled: every block of Go code is in a Go file of the repository, line for line. Indentation does
// not matter, and a line "…" stands for lines that are left out.
func TestGoCodeOfDocumentsIsCompiled(t *testing.T) {
	t.Parallel()
	var sources []string
	for _, file := range files(t, ".go") {
		sources = append(sources, strings.Join(codeLines(read(t, file)), "\n")+"\n")
	}
	for _, document := range files(t, ".md") {
		for n, block := range blocks(read(t, document), "go") {
			assert.True(t, contained(block, sources), "%s: the Go code of block %d is in no Go file:\n%s", document, n+1, block)
		}
	}
}

// TestConfigurationsOfDocumentsAreTested: every block of a proxy's configuration is a file that the tests of the proxies run.
func TestConfigurationsOfDocumentsAreTested(t *testing.T) {
	t.Parallel()
	conf := filepath.Join(root, "integration", "proxies", "conf")
	for language, file := range map[string]string{
		"nginx": "nginx.conf", "caddyfile": "Caddyfile", "haproxy": "haproxy.cfg", "http": "away.http",
	} {
		found := 0
		for _, document := range files(t, ".md") {
			for _, block := range blocks(read(t, document), language) {
				found++
				assert.Equal(t, read(t, filepath.Join(conf, file)), block, "%s: a block of %s", document, language)
			}
		}
		assert.Positive(t, found, "blocks of %s", language)
	}
}

// TestPagesOfDocumentsAreFiles: every page is a whole file of the repository, which a program or a test serves.
func TestPagesOfDocumentsAreFiles(t *testing.T) {
	t.Parallel()
	pages := map[string]bool{}
	for _, file := range files(t, ".html") {
		pages[read(t, file)] = true
	}
	for _, document := range files(t, ".md") {
		for n, block := range blocks(read(t, document), "html") {
			isPage := strings.HasPrefix(block, "<!doctype")
			assert.True(t, pages[block] || !isPage, "%s: the page of block %d is no file:\n%s", document, n+1, block)
		}
	}
}

// contained reports whether one of the sources has all parts of the block in their order.
func contained(block string, sources []string) bool {
	var parts []string
	for part := range strings.SplitSeq(strings.Join(codeLines(block), "\n")+"\n", "…\n") {
		if part != "" {
			parts = append(parts, part)
		}
	}
	for _, source := range sources {
		rest, found := source, true
		for _, part := range parts {
			if _, rest, found = strings.Cut(rest, part); !found {
				break
			}
		}
		if found {
			return true
		}
	}
	return false
}

// codeLines returns the lines without indentation, and without those that are empty.
func codeLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// blocks returns the fenced blocks of a language.
func blocks(document, language string) []string {
	var found []string
	fence := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	for _, match := range fence.FindAllStringSubmatch(document, -1) {
		found = append(found, match[1])
	}
	return found
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinksOfDocumentsLeadSomewhere: files exist, and headings too.
func TestLinksOfDocumentsLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, document := range files(t, ".md") {
		for _, match := range link.FindAllStringSubmatch(read(t, document), -1) {
			if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
				continue
			}
			path, heading, _ := strings.Cut(match[1], "#")
			target := document
			if path != "" {
				target = filepath.Join(filepath.Dir(document), path)
			}
			if _, err := os.Stat(target); !assert.NoError(t, err, "%s links to %s", document, match[1]) || heading == "" {
				continue
			}
			assert.Contains(t, headings(read(t, target)), heading, "%s links to %s", document, match[1])
		}
	}
}

// TestGoFilesThatDocumentsNameExist: a Go file in backticks is a file of the repository, in whatever folder.
func TestGoFilesThatDocumentsNameExist(t *testing.T) {
	t.Parallel()
	existing := map[string]bool{}
	for _, file := range files(t, ".go") {
		existing[filepath.Base(file)] = true
	}
	for _, document := range files(t, ".md") {
		for _, match := range regexp.MustCompile("`([^`\\s]+\\.go)`").FindAllStringSubmatch(read(t, document), -1) {
			assert.True(t, existing[filepath.Base(match[1])], "%s names %s", document, match[1])
		}
	}
}

// headings returns the anchors of a document's headings, as GitHub makes them.
func headings(document string) []string {
	var anchors []string
	for line := range strings.Lines(document) {
		if text, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			text = strings.ToLower(strings.TrimSpace(text))
			text = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(text, "")
			anchors = append(anchors, strings.ReplaceAll(text, " ", "-"))
		}
	}
	return anchors
}

// files returns the files of the repository with the extension, without what is installed or generated.
func files(t *testing.T, extension string) []string {
	t.Helper()
	var found []string
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".")) {
			return fs.SkipDir
		}
		if !entry.IsDir() && filepath.Ext(path) == extension {
			found = append(found, path)
		}
		return nil
	}))
	require.NotEmpty(t, found)
	return found
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}
