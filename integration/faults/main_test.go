// Package faults_test breaks the microblog and its servers while posts are written: it kills the microblog, kills and stops
// each server, and disturbs the network between them. In the end every accepted change must be in exactly its feeds,
// without anybody's help.
package faults_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/internal/servers"
)

const (
	// patience bounds the wait for a recovery.
	patience = time.Minute
	// answerTimeout is how long a request may take, whatever is broken: a command ends after 10 seconds, and its COMMIT or
	// ROLLBACK may take a few more.
	answerTimeout = 20 * time.Second
)

// folder holds the files that the tests share.
var folder string //nolint:gochecknoglobals // set once, by TestMain

func TestMain(m *testing.M) {
	if err := mysql.SetLogger(&mysql.NopLogger{}); err != nil { // connections break here on purpose
		panic(err)
	}
	var err error
	if folder, err = os.MkdirTemp("", "faults"); err != nil {
		panic(err)
	}
	os.Exit(runAndClean(m))
}

func runAndClean(m *testing.M) (code int) {
	defer func() { _ = os.RemoveAll(folder) }()
	return servers.Run(m)
}

// long returns for how long each test repeats its faults, by FEEDMILL_FAULTS, such as "10m". By default each fault comes
// once.
func long(t *testing.T) time.Duration {
	t.Helper()
	value := os.Getenv("FEEDMILL_FAULTS")
	if value == "" {
		return 0
	}
	duration, err := time.ParseDuration(value)
	require.NoError(t, err, "FEEDMILL_FAULTS")
	return duration
}

// binary returns the path of the microblog. It is built once, with the race detector if the tests have it.
func binary(t *testing.T) string {
	t.Helper()
	path, err := build()
	require.NoError(t, err, path)
	return path
}

var build = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // once a process
	path := filepath.Join(folder, "microblog")
	args := []string{"build", "-C", "../../examples/microblog", "-o", path} // its own module knows what it needs
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "-race" && setting.Value == "true" {
				args = append(args, "-race")
			}
		}
	}
	output, err := exec.Command("go", append(args, ".")...).CombinedOutput()
	if err != nil {
		return string(output), err
	}
	return path, nil
})
