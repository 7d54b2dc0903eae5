package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/examples/microblog/stack"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// environment returns a function in place of os.Getenv.
func environment(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

func TestSettings(t *testing.T) {
	t.Parallel()
	defaults := settings{addr: ":8080", logLevel: slog.LevelInfo, stack: stack.Config{DataDir: "data"}}
	all := settings{addr: ":1", logLevel: slog.LevelDebug, stack: stack.Config{
		DataDir: "d", MySQLDSN: "m", MongoURI: "o", NATSURL: "n",
	}}
	for name, test := range map[string]struct {
		args []string
		env  map[string]string
		want settings
	}{
		"defaults": {nil, nil, defaults},
		"flags": {
			[]string{"-addr", ":1", "-data-dir=d", "-mysql-dsn", "m", "--mongo-uri", "o", "-nats-url", "n", "-log-level", "DEBUG"},
			nil, all,
		},
		"environment": {nil, map[string]string{
			"MICROBLOG_ADDR": ":1", "MICROBLOG_DATA_DIR": "d", "MICROBLOG_MYSQL_DSN": "m", "MICROBLOG_MONGO_URI": "o",
			"MICROBLOG_NATS_URL": "n", "MICROBLOG_LOG_LEVEL": "debug",
		}, all},
		"flags over the environment": {
			[]string{"-addr", ":1", "-data-dir", "d", "-mysql-dsn", "m", "-mongo-uri", "o", "-nats-url", "n", "-log-level", "debug"},
			map[string]string{
				"MICROBLOG_ADDR": ":2", "MICROBLOG_DATA_DIR": "e", "MICROBLOG_MYSQL_DSN": "e", "MICROBLOG_MONGO_URI": "e",
				"MICROBLOG_NATS_URL": "e", "MICROBLOG_LOG_LEVEL": "nonsense",
			},
			all,
		},
		"an empty flag takes back what the environment says": {
			[]string{"-mysql-dsn="}, map[string]string{"MICROBLOG_MYSQL_DSN": "m"}, defaults,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parse("serve", test.args, environment(test.env), io.Discard)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		env  map[string]string
		says string
	}{
		"an unknown command":       {[]string{"fly"}, nil, `unknown command "fly": there are serve (the default), rebuild, audit, parked, unpark, discard and healthcheck`},
		"an unknown flag":          {[]string{"-fly"}, nil, "-fly"},
		"an unknown flag of serve": {[]string{"serve", "-fly"}, nil, "-fly"},
		"an argument":              {[]string{"serve", "now"}, nil, `unexpected argument "now"`},
		"a flag behind an id":      {[]string{"discard", "1", "-data-dir", "x"}, nil, "-data-dir comes behind an id"},
		"an argument of parked":    {[]string{"parked", "1"}, nil, `unexpected argument "1"`},
		"unpark of nothing":        {[]string{"unpark"}, nil, "by the ids that microblog parked shows, or -all"},
		"unpark of some and all":   {[]string{"unpark", "-all", "1"}, nil, "by the ids that microblog parked shows, or -all"},
		"discard of nothing":       {[]string{"discard"}, nil, "by the ids that microblog parked shows"},
		"discard of all":           {[]string{"discard", "-all"}, nil, "-all"},
		"a flag without its value": {[]string{"-addr"}, nil, "-addr"},
		"a log level":              {[]string{"-log-level", "loud"}, nil, "log level"},
		"a log level by variable":  {nil, map[string]string{"MICROBLOG_LOG_LEVEL": "loud"}, "log level"},
		"a bad DSN":                {[]string{"-mysql-dsn", "nonsense", "-data-dir", t.TempDir()}, nil, "MySQL DSN"},
		"an impossible address":    {[]string{"-addr", "127.0.0.1:port", "-data-dir", t.TempDir()}, nil, "listen on 127.0.0.1:port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), test.args, environment(test.env), io.Discard, io.Discard)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	var output bytes.Buffer
	err := run(t.Context(), []string{"-h"}, environment(nil), &output, &output)
	require.ErrorIs(t, err, flag.ErrHelp)
	for _, setting := range []string{"addr", "data-dir", "mysql-dsn", "mongo-uri", "nats-url", "log-level"} {
		require.Contains(t, output.String(), "-"+setting)
		require.Contains(t, output.String(), "MICROBLOG_"+strings.ToUpper(strings.ReplaceAll(setting, "-", "_")))
	}
}

// lockedBuffer can be read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestServe runs the command with everything embedded, and then stops it.
func TestServe(t *testing.T) {
	t.Parallel()
	const patience = 20 * time.Second
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var output lockedBuffer
	stopped := make(chan error, 1)
	go func() {
		stopped <- run(ctx, []string{"-addr", "127.0.0.1:0"}, environment(map[string]string{"MICROBLOG_DATA_DIR": dir}), &output, &output)
	}()
	var url string
	require.Eventually(t, func() bool {
		found := regexp.MustCompile(`url=(http://127\.0\.0\.1:\d+)`).FindStringSubmatch(output.String())
		if found != nil {
			url = found[1]
		}
		return url != ""
	}, patience, 5*time.Millisecond, "it does not say where it is")
	require.Contains(t, output.String(), filepath.Join(dir, "microblog.db"), "it says on what it runs")
	require.Eventually(t, func() bool { return healthcheck(t.Context(), strings.TrimPrefix(url, "http://")) == nil },
		patience, 5*time.Millisecond, "it is not ready")

	stop()
	select {
	case err := <-stopped:
		require.NoError(t, err)
	case <-time.After(patience):
		require.Fail(t, "it does not stop")
	}
	require.Contains(t, output.String(), "Microblog has stopped")
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	status.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			status.Store(http.StatusNotFound)
		}
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, "reach mysql: refused")
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)

	for _, addr := range []string{":" + port, "127.0.0.1:" + port, "0.0.0.0:" + port, "[::]:" + port} {
		require.NoError(t, run(t.Context(), []string{"healthcheck", "-addr", addr}, environment(nil), io.Discard, io.Discard), addr)
	}
	require.NoError(t, run(t.Context(), []string{"healthcheck"}, environment(map[string]string{"MICROBLOG_ADDR": ":" + port}), io.Discard, io.Discard))
	status.Store(http.StatusServiceUnavailable)
	require.ErrorContains(t, healthcheck(t.Context(), ":"+port), "not ready: reach mysql: refused")
	server.Close()
	require.ErrorContains(t, healthcheck(t.Context(), ":"+port), "ask whether the microblog is ready")
	require.ErrorContains(t, healthcheck(t.Context(), "nonsense"), "read address")
}

func TestURLForPeople(t *testing.T) {
	t.Parallel()
	for addr, url := range map[string]string{
		"[::]:8080": "http://localhost:8080", "0.0.0.0:80": "http://localhost:80",
		"127.0.0.1:9": "http://127.0.0.1:9", "[::1]:9": "http://[::1]:9",
	} {
		resolved, err := net.ResolveTCPAddr("tcp", addr)
		require.NoError(t, err)
		require.Equal(t, url, urlOf(resolved))
	}
}
