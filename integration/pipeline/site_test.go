package pipeline_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/app"
)

// site is a microblog on a place, with a client.
type site struct {
	place  place
	runs   []slog.Attr // on which the parts run
	client *http.Client
	url    string

	stop       context.CancelFunc
	stopped    chan error
	closeParts func() error
}

// newSite starts a microblog and stops it at the end of the test, unless the test has stopped it.
func newSite(t *testing.T, where place) *site {
	t.Helper()
	s := &site{place: where, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		if s.stop != nil {
			require.NoError(t, s.shutdown(t))
		}
	})
	s.start(t)
	return s
}

// start runs the microblog on its place and waits until it is ready.
func (s *site) start(t *testing.T) {
	t.Helper()
	parts, closeParts := s.place(t)
	s.closeParts, s.runs = closeParts, parts.Runs
	microblog, err := app.New(parts, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.url = "http://" + listener.Addr().String()

	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	s.stop, s.stopped = stop, make(chan error, 1)
	go func() { s.stopped <- microblog.Run(ctx, listener) }()
	require.Eventually(t, func() bool { return s.do(t, http.MethodGet, "/readyz", nil).status == http.StatusOK },
		timeout, 5*time.Millisecond, "the microblog is not ready")
}

// shutdown stops the microblog and then its parts. It returns the error of Run.
func (s *site) shutdown(t *testing.T) error {
	t.Helper()
	s.stop()
	s.stop = nil
	var err error
	select {
	case err = <-s.stopped:
	case <-time.After(timeout):
		require.Fail(t, "the microblog does not stop")
	}
	require.NoError(t, s.closeParts())
	return err
}
