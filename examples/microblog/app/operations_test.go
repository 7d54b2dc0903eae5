package app_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/app"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// ask calls the handler directly, for microblogs that do not run.
func ask(t *testing.T, microblog *app.App, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	microblog.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
	return recorder
}

func TestHealthBeforeRun(t *testing.T) {
	t.Parallel()
	microblog := newApp(t, embedded(t))
	require.Equal(t, http.StatusOK, ask(t, microblog, http.MethodGet, "/healthz").Code, "it lives")
	ready := ask(t, microblog, http.MethodGet, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, ready.Code, "but serves no streams yet")
	require.Contains(t, ready.Body.String(), "router")
}

func TestReadyFollowsTheServers(t *testing.T) {
	t.Parallel()
	parts := embedded(t)
	outcome := make(chan error, 1)
	parts.Checks = []func(context.Context) error{func(context.Context) error { return <-outcome }}
	s := run(t, newApp(t, parts))

	outcome <- nil
	require.Equal(t, http.StatusOK, s.get(t, "/readyz").status)
	outcome <- errors.New("reach mysql at db:3306: connection refused")
	down := s.get(t, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, down.status)
	require.Contains(t, down.body, "reach mysql", "it says what is missing")
	require.Equal(t, http.StatusOK, s.get(t, "/healthz").status, "a restart would not help")
	outcome <- nil
	require.Equal(t, http.StatusOK, s.get(t, "/readyz").status)

	s.stop()
	require.NoError(t, s.ended(t))
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := run(t, newApp(t, embedded(t)))
	value := func(name string) string {
		found := regexp.MustCompile(`(?m)^ssestream_` + name + ` (.*)$`).FindStringSubmatch(s.get(t, "/metrics").body)
		require.Len(t, found, 2, name)
		return found[1]
	}
	for _, name := range []string{"clients", "rooms", "loads_total", "load_errors_total", "frames_total", "io_bytes_total"} {
		require.Equal(t, "0", value(name))
	}
	require.Contains(t, s.get(t, "/metrics").body, "go_goroutines")
	require.Contains(t, s.get(t, "/metrics").body, `cqrsfeed_outbox_depth{cqrsfeed_relay="relay"} 0`)

	stream, err := ssestreamtest.Connect(t.Context(), s.client, "http://"+s.addr+"/api/feeds")
	require.NoError(t, err)
	_, err = stream.Next(t.Context())
	require.NoError(t, err)
	require.Eventually(t, func() bool { // counters come a moment after what they count
		return value("clients") == "1" && value("rooms") == "1" && value("loads_total") == "1"
	}, patience, 5*time.Millisecond)
	require.NoError(t, stream.Close())
	require.Eventually(t, func() bool { return value("clients") == "0" && value("rooms") == "0" }, patience, 5*time.Millisecond)

	s.stop()
	require.NoError(t, s.ended(t))
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	microblog := newApp(t, embedded(t))
	for _, request := range []struct{ method, path string }{
		{http.MethodGet, "/"},
		{http.MethodGet, "/feeds/go"},
		{http.MethodGet, "/assets/nobody.js"},
		{http.MethodGet, "/api/feeds"},
		{http.MethodGet, "/api/posts/nobody"},
		{http.MethodDelete, "/api/feeds"},
		{http.MethodGet, "/healthz"},
		{http.MethodGet, "/metrics"},
	} {
		header := ask(t, microblog, request.method, request.path).Header()
		policy := header.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'self'", request.path)
		require.Contains(t, policy, "frame-ancestors 'none'", request.path)
		require.NotRegexp(t, `script-src|default-src[^;]*unsafe`, policy, "scripts come from the server alone")
		require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), request.path)
		require.Equal(t, "same-origin", header.Get("Referrer-Policy"), request.path)
	}
}

// TestCommandsOfOtherSitesAreRefused uses a command without a body, which any page could send by a form.
func TestCommandsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	microblog := newApp(t, embedded(t))
	for site, status := range map[string]int{
		"cross-site": http.StatusForbidden, "same-origin": http.StatusCreated, "": http.StatusCreated,
	} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/generate/post", http.NoBody)
		if site != "" {
			request.Header.Set("Sec-Fetch-Site", site)
		}
		response := httptest.NewRecorder()
		microblog.Handler().ServeHTTP(response, request)
		require.Equal(t, status, response.Code, site)
		if status == http.StatusForbidden {
			require.Equal(t, "application/problem+json", response.Header().Get("Content-Type"))
			require.Contains(t, response.Body.String(), "Origin")
		}
	}
}
