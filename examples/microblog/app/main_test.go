package app_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/stack"
)

const patience = time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// embedded opens embedded parts in a temporary folder.
func embedded(t *testing.T) app.Parts {
	t.Helper()
	opened, err := stack.Open(t.Context(), stack.Config{DataDir: t.TempDir()}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, opened.Close()) })
	return opened.Parts
}

func newApp(t *testing.T, parts app.Parts) *app.App {
	t.Helper()
	microblog, err := app.New(parts, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return microblog
}

// site is a running microblog.
type site struct {
	addr    string
	client  *http.Client
	stop    context.CancelFunc
	stopped chan error
}

// run starts a microblog and waits until it runs.
func run(t *testing.T, microblog *app.App) *site {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &site{addr: listener.Addr().String(), client: &http.Client{Transport: &http.Transport{}}, stop: stop, stopped: make(chan error, 1)}
	t.Cleanup(func() {
		stop()
		s.client.CloseIdleConnections()
	})
	go func() { s.stopped <- microblog.Run(ctx, listener) }()
	select {
	case <-microblog.Running():
	case <-time.After(patience):
		require.Fail(t, "it does not run")
	}
	return s
}

// ended returns what Run returned.
func (s *site) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.stopped:
		return err
	case <-time.After(patience):
		require.Fail(t, "Run does not end")
		return nil
	}
}

// answer is a response with its body.
type answer struct {
	status int
	header http.Header
	body   string
}

// get requests a path. header has names and values.
func (s *site) get(t *testing.T, path string, header ...string) answer {
	t.Helper()
	a, err := s.fetch(t.Context(), path, header...)
	require.NoError(t, err)
	return a
}

// fetch is get for other goroutines than the test's.
func (s *site) fetch(ctx context.Context, path string, header ...string) (answer, error) {
	return s.send(ctx, http.MethodGet, path, "", header)
}

// post creates a post.
func (s *site) post(t *testing.T, body string, header ...string) answer {
	t.Helper()
	a, err := s.send(t.Context(), http.MethodPost, "/api/posts", body, append(header, "Content-Type", "application/json"))
	require.NoError(t, err)
	return a
}

func (s *site) send(ctx context.Context, method, path, body string, header []string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := s.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	read, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(read)}, errors.Join(err, response.Body.Close())
}
