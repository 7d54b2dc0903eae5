package main

import (
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheDockerfileCompilesDependenciesThatAreThere: it names the large ones, and a name that go.mod lacks fails the build.
func TestTheDockerfileCompilesDependenciesThatAreThere(t *testing.T) {
	t.Parallel()
	dockerfile, err := os.ReadFile("Dockerfile")
	require.NoError(t, err)
	packages := regexp.MustCompile(`(?m)(?:github\.com|go\.[a-z]+\.[a-z]+|modernc\.org)/[\w./-]+`).FindAllString(string(dockerfile), -1)
	require.NotEmpty(t, packages)
	output, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "--"}, packages...)...).CombinedOutput()
	require.NoError(t, err, "%s", output)
}
