package rebuild_test

import (
	"bytes"
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/stack"
)

// build builds the command.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "microblog")
	output, err := exec.CommandContext(t.Context(), "go", "build", "-C", "../../examples/microblog",
		"-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", output)
	return binary
}

// process is a microblog on servers.
type process struct {
	*exec.Cmd
	output *output
}

// command returns a process that is killed when ctx ends.
func command(ctx context.Context, binary string, on stack.Config, args ...string) process {
	args = append(args, "-postgres-dsn", on.PostgresDSN, "-mysql-dsn", on.MySQLDSN, "-mongo-uri", on.MongoURI, "-nats-url", on.NATSURL)
	p := process{exec.CommandContext(ctx, binary, args...), &output{}}
	p.Stdout, p.Stderr = p.output, p.output
	return p
}

// serve starts a microblog, waits until it is ready, and ends it with the test.
func serve(t *testing.T, binary string, on stack.Config) {
	t.Helper()
	p := command(context.WithoutCancel(t.Context()), binary, on, "serve", "-addr", "127.0.0.1:0")
	require.NoError(t, p.Start())
	t.Cleanup(func() {
		require.NoError(t, p.Process.Signal(syscall.SIGTERM))
		require.NoError(t, p.Wait(), "%s", p.output)
	})
	address := regexp.MustCompile(`url=(http://127\.0\.0\.1:\d+)`)
	require.Eventually(t, func() bool {
		found := address.FindStringSubmatch(p.output.String())
		if found == nil {
			return false
		}
		response, err := http.Get(found[1] + "/readyz")
		if err != nil {
			return false
		}
		return response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}, patience, 20*time.Millisecond, "it does not become ready: %s", p.output)
	http.DefaultClient.CloseIdleConnections()
}

// output is what a process wrote so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
