// Package servers starts the real servers of the integration tests, each once for a test process, and gives every test an
// empty database or the like.
//
// The images are those of the environment (FEEDMILL_MYSQL_IMAGE and so on, which testbed/up writes), or else public ones. A
// server that does not start fails the test: no test is skipped.
package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"go.uber.org/goleak"
)

// startTimeout limits a cold start on a busy machine, with the pull of the image.
const startTimeout = 5 * time.Minute

// Main is for a package's TestMain. It runs the tests, ends their servers, and fails if a goroutine is left.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that does more. It returns the exit code.
func Run(m *testing.M) int {
	code := m.Run()
	if err := terminateAll(); err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := findLeaks(); err != nil {
			fmt.Fprintln(os.Stderr, "integration: goroutines left behind:", err)
			code = 1
		}
	}
	return code
}

// findLeaks returns an error if a goroutine is left.
func findLeaks() error {
	// The Docker client keeps idle connections to the daemon while the process lives.
	allowed := []goleak.Option{
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
	}
	err := goleak.Find(allowed...)
	// A publisher of nats.go that is cleaned up before a goroutine of its own has begun leaves that on a nil channel.
	const late = "nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect"
	if err == nil {
		return nil
	}
	// In any other state it is a leak: of a publisher that was not cleaned up.
	if n := strings.Count(err.Error(), late+" on top of the stack"); n > 0 && n == strings.Count(err.Error(), "in state chan receive (nil chan)") {
		return goleak.Find(append(allowed, goleak.IgnoreTopFunction("github.com/nats-io/"+late))...)
	}
	return err
}

// server is a container that is started on first use and shared by the tests of a process.
type server struct {
	port    string // inside the container
	request testcontainers.ContainerRequest
	once    sync.Once
	running testcontainers.Container
	err     error
}

var (
	started   []*server    //nolint:gochecknoglobals // the servers that TestMain ends
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

// terminateAll ends every server, even if ending one of them fails.
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

// quiet drops the progress lines of testcontainers, which would hide the output of tests.
type quiet struct{}

// Printf drops a line.
func (quiet) Printf(string, ...any) {}
