package deploy_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/examples/microblog/stack"
	"github.com/feedmill/feedmill/integration/internal/servers"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

const interval = 50 * time.Millisecond

// site is a microblog on NATS.
type site struct {
	url    string
	client *http.Client
}

// startSite runs a microblog until the end of the test.
func startSite(t *testing.T) *site {
	t.Helper()
	parts, err := stack.Open(t.Context(), stack.Config{DataDir: t.TempDir(), NATSURL: servers.NATS(t)}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, parts.Close()) })
	microblog, err := app.New(parts.Parts, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	stopped := make(chan error, 1)
	go func() { stopped <- microblog.Run(ctx, listener) }()
	s := &site{url: "http://" + listener.Addr().String(), client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		stop()
		assert.NoError(t, <-stopped)
	})
	require.EventuallyWithT(t, func(c *assert.CollectT) { s.get(c, "/readyz") }, timeout, interval)
	return s
}

// get returns the body of what is found at a path.
func (s *site) get(t require.TestingT, path string) string {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, http.NoBody)
	require.NoError(t, err)
	response, err := s.client.Do(request)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode, path)
	return string(body)
}

// useAll writes a post that an open page is sent, so that each part has measured.
func (s *site) useAll(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	page, err := ssestreamtest.Connect(ctx, s.client, s.url+"/api/feeds")
	require.NoError(t, err)
	_, err = page.Next(ctx)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/posts",
		strings.NewReader(`{"title": "Watched", "content": "#go", "author": "Ada"}`))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusCreated, response.StatusCode)
	_, err = page.Next(ctx)
	require.NoError(t, err)
	require.NoError(t, page.Close())
}
