// Package servers starts the real servers that the integration tests run on, each once for a test process,
// and gives every test an empty place of its own on them.
//
// The images come from the environment (FEEDMILL_MYSQL_IMAGE and so on, as testbed/up writes them) with the
// public images as defaults. A server that cannot be started fails the test: nothing here skips.
package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"go.uber.org/goleak"
)

// startTimeout covers a cold start on a busy machine, image pull included.
const startTimeout = 5 * time.Minute

// Main runs a package's tests for its TestMain, ends the servers that they started, and fails when a
// goroutine is left behind.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that has more to do: it returns the exit code.
func Run(m *testing.M) int {
	code := m.Run()
	if err := terminateAll(); err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		code = max(code, 1)
	}
	if code == 0 {
		// The Docker client keeps its idle connections to the daemon for the life of the process.
		if err := goleak.Find(
			goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
			goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		); err != nil {
			fmt.Fprintln(os.Stderr, "integration: goroutines left behind:", err)
			code = 1
		}
	}
	return code
}

// server is a container that is started on first use and shared by the tests of a process.
type server struct {
	port    string // what it serves on, inside
	request testcontainers.ContainerRequest
	once    sync.Once
	running testcontainers.Container
	err     error
}

var (
	started   []*server    //nolint:gochecknoglobals // what TestMain has to end
	startedMu sync.Mutex   //nolint:gochecknoglobals // guards started
	names     atomic.Int64 //nolint:gochecknoglobals // makes names unique within the process
)

// start returns the running container.
func (s *server) start(tb testing.TB) testcontainers.Container {
	tb.Helper()
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		s.request.Labels = processLabels()
		s.running, s.err = testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
			ContainerRequest: s.request,
			Started:          true,
			Logger:           quiet{},
		})
		startedMu.Lock()
		defer startedMu.Unlock()
		started = append(started, s)
	})
	require.NoError(tb, s.err, "start %s (run testbed/up and load testbed/.env first)", s.request.Image)
	return s.running
}

// address returns host:port of the running container.
func (s *server) address(tb testing.TB) string {
	tb.Helper()
	address, err := s.start(tb).PortEndpoint(tb.Context(), s.port, "")
	require.NoError(tb, err)
	return address
}

// terminateAll ends every server, also when one of them cannot be ended.
func terminateAll() error {
	startedMu.Lock()
	defer startedMu.Unlock()
	var errs []error
	for _, s := range started {
		if err := testcontainers.TerminateContainer(s.running); err != nil {
			errs = append(errs, fmt.Errorf("terminate %s: %w", s.request.Image, err))
		}
	}
	return errors.Join(errs...)
}

// freshName returns a name that no other test of this process has.
func freshName() string { return fmt.Sprintf("t%d", names.Add(1)) }

// image returns the image to use for a server.
func image(variable, public string) string {
	if name := os.Getenv(variable); name != "" {
		return name
	}
	return public
}

// quiet drops the progress lines of testcontainers, which would hide the tests' own output.
type quiet struct{}

// Printf drops its line.
func (quiet) Printf(string, ...any) {}
