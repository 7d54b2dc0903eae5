package mutants_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// root of the repository.
const root = "../.."

// TestMutants runs the tests of crashes on each mutant if FEEDMILL_MUTANTS is set. They must fail. That takes
// minutes, so without it each mutant is only built, which shows that the table in stores_test.go fits the sources.
func TestMutants(t *testing.T) {
	t.Parallel()
	for name, s := range stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if found(t) {
				t.Run("intact", s.passes) //nolint:paralleltest // one after the other: each is to have the machine
			}
			for _, m := range s.lacks {
				t.Run("without "+m.without, func(t *testing.T) { s.fails(t, m) }) //nolint:paralleltest // likewise
			}
		})
	}
}

// found says whether the mutants have to be found.
func found(t *testing.T) bool {
	t.Helper()
	value := os.Getenv("FEEDMILL_MUTANTS")
	if value == "" {
		return false
	}
	yes, err := strconv.ParseBool(value)
	require.NoError(t, err, "FEEDMILL_MUTANTS")
	return yes
}

// passes runs the tests on the store as it is: a failure on a mutant means something only if there is none without it.
func (s store) passes(t *testing.T) {
	t.Helper()
	tests := s.build(t)
	output, err := s.crash(t, tests, s.run, s.intact)
	require.NoError(t, err, "%s", output)
	for _, m := range s.lacks {
		if m.test != "" {
			output, err := s.crash(t, tests, m.test, 0)
			require.NoError(t, err, "%s", output)
		}
	}
}

// fails runs the tests on a mutant. Only a failure of theirs counts, which tells the seed of its round.
func (s store) fails(t *testing.T, m mutant) {
	t.Helper()
	overlay := s.overlay(t, m)
	if !found(t) {
		goes(t, s.source, "build", "-overlay", overlay, "./...")
		return
	}
	tests := s.build(t, "-overlay", overlay)
	began := time.Now()
	run := s.run
	if m.test != "" {
		run = m.test
	}
	output, err := s.crash(t, tests, run, m.within)
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "nothing was noticed within %d crashes without %s:\n%s", m.within, m.without, output)
	require.Equal(t, 1, exit.ExitCode(), "%s", output)
	if m.test != "" {
		require.Contains(t, output, "--- FAIL: "+strings.Trim(m.test, "^$"))
	} else {
		require.Regexp(t, `(?m)^--- FAIL: Test\w*Crashes `, output)
		require.Regexp(t, `this was seed \d+; again with: FEEDMILL_CRASH_SEED=`, output)
	}
	require.NotContains(t, output, "panic: ")
	t.Logf("noticed after %s: %s", time.Since(began).Round(time.Second), complaint(output))
}

// overlay returns an overlay by which the go command compiles the mutant instead of the file.
func (s store) overlay(t *testing.T, m mutant) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, s.source, m.file))
	require.NoError(t, err)
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(source), m.text),
		"%s has to have this exactly once, for the mutant without %s:\n%s", path, m.without, m.text)
	dir := t.TempDir()
	mutated, overlay := filepath.Join(dir, filepath.Base(m.file)), filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(mutated, []byte(strings.Replace(string(source), m.text, m.instead, 1)), 0o600))
	replaced, err := json.Marshal(map[string]map[string]string{"Replace": {path: mutated}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, replaced, 0o600))
	return overlay
}

// build compiles the tests. What does not compile is no mutant.
func (s store) build(t *testing.T, args ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "tests")
	goes(t, s.module, append(append([]string{"test", "-c", "-o", binary}, args...), s.tests)...)
	return binary
}

// goes runs the go command in a folder.
func goes(t *testing.T, dir string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Dir = filepath.Join(root, dir)
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// crash runs tests until they had so many crashes.
func (s store) crash(t *testing.T, tests, run string, crashes int) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), tests, "-test.run="+run, "-test.v", "-test.timeout=20m")
	command.Dir = filepath.Join(root, s.module, s.tests)
	command.Env = append(os.Environ(), fmt.Sprintf("FEEDMILL_CRASHES=%d", crashes), "FEEDMILL_CRASH_SEED=")
	output, err := command.CombinedOutput()
	return string(output), err
}

// complaint is the reason that a failure gives first, in a line.
func complaint(output string) string {
	const most = 200
	reason := regexp.MustCompile(`(?s)Error:\s+(.*?)\n\s+Test:`).FindStringSubmatch(output)
	if reason == nil {
		return "for a reason that it does not give"
	}
	line := strings.Join(strings.Fields(reason[1]), " ")
	return line[:min(len(line), most)]
}
