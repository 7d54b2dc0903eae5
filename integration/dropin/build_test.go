package dropin_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// switched is the file of the app that is changed, and all that is changed in it.
const switched = "app/streams.go"

func replacements() [][2]string {
	return [][2]string{
		{`	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"`, `	"github.com/feedmill/feedmill/ssestream"`},
		{`watermillhttp.NewSSERouter(watermillhttp.SSERouterConfig{`, `ssestream.NewRouter(ssestream.RouterConfig{`},
	}
}

// switchRouter returns the app's source with the import and the constructor changed, each once, and checks that
// every other line is as it was and that nothing of the stock router is left.
func switchRouter(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(switched)
	require.NoError(t, err)
	stock, ours := string(source), string(source)
	requireStreamsAlone(t)
	for _, r := range replacements() {
		require.Equal(t, 1, strings.Count(ours, r[0]), r[0])
		ours = strings.Replace(ours, r[0], r[1], 1)
	}
	require.NotContains(t, ours, "watermillhttp")
	before, after := strings.Split(stock, "\n"), strings.Split(ours, "\n")
	require.Len(t, after, len(before))
	changed := 0
	for i := range before {
		if before[i] != after[i] {
			changed++
		}
	}
	require.Equal(t, len(replacements()), changed)
	return ours
}

// requireStreamsAlone checks that the app's other files know nothing of the stock router.
func requireStreamsAlone(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob("app/*.go")
	require.NoError(t, err)
	require.Contains(t, files, switched)
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, file == switched, strings.Contains(string(source), "watermill-http/"), file)
	}
}

// buildStock builds the app as it is.
func buildStock(t *testing.T) string {
	t.Helper()
	return build(t, "stock")
}

// buildSwitched builds the app from the changed copy, by an overlay: everything else is the same file.
func buildSwitched(t *testing.T) string {
	t.Helper()
	original, err := filepath.Abs(switched)
	require.NoError(t, err)
	copied := filepath.Join(t.TempDir(), "streams.go")
	require.NoError(t, os.WriteFile(copied, []byte(switchRouter(t)), 0o600))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: copied}})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(file, overlay, 0o600))
	return build(t, "switched", "-overlay", file)
}

func build(t *testing.T, name string, flags ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name)
	command := exec.CommandContext(t.Context(), "go", append(append([]string{"build", "-o", binary}, flags...), "./app")...)
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return binary
}
