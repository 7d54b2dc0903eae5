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
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/examples/microblog/app"
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
	defaults := settings{
		addr: ":8080", limits: app.Limits{Writes: 50}, stack: stack.Config{DataDir: "data"}, log: slog.LevelInfo, operate: operate.Command{Name: "serve"},
	}
	all := settings{
		addr: ":1", opsAddr: ":3", demo: true, limits: app.Limits{Writes: 0.5, ClientHeader: "X-Real-IP"},
		stack: stack.Config{DataDir: "d", PostgresDSN: "p", PostgresListenDSN: "l", MySQLDSN: "m", MongoURI: "o", NATSURL: "n", NATSReplicas: 3},
		log:   slog.LevelDebug, json: true, operate: operate.Command{Name: "serve"},
	}
	traced := defaults
	traced.spans = true
	flags := []string{
		"-addr", ":1", "-operations-addr=:3", "-write-rate", "0.5", "-client-header", "X-Real-IP", "-demo", "-data-dir=d", "-postgres-dsn=p", "-postgres-listen-dsn=l",
		"-mysql-dsn", "m",
		"--mongo-uri", "o", "-nats-url", "n", "-nats-replicas=3", "-log-level", "DEBUG", "-log-format", "json",
	}
	for name, test := range map[string]struct {
		args []string
		env  map[string]string
		want settings
	}{
		"defaults": {nil, nil, defaults},
		"flags":    {flags, nil, all},
		"environment": {nil, map[string]string{
			"MICROBLOG_ADDR": ":1", "MICROBLOG_OPERATIONS_ADDR": ":3", "MICROBLOG_WRITE_RATE": "0.5", "MICROBLOG_CLIENT_HEADER": "X-Real-IP",
			"MICROBLOG_DEMO": "true", "MICROBLOG_DATA_DIR": "d", "MICROBLOG_POSTGRES_DSN": "p", "MICROBLOG_POSTGRES_LISTEN_DSN": "l", "MICROBLOG_MYSQL_DSN": "m", "MICROBLOG_MONGO_URI": "o", "MICROBLOG_NATS_URL": "n",
			"MICROBLOG_NATS_REPLICAS": "3", "MICROBLOG_LOG_LEVEL": "debug", "MICROBLOG_LOG_FORMAT": "json",
		}, all},
		"flags over the environment": {flags, map[string]string{
			"MICROBLOG_ADDR": ":2", "MICROBLOG_DATA_DIR": "e", "MICROBLOG_MYSQL_DSN": "e", "MICROBLOG_MONGO_URI": "e", "MICROBLOG_NATS_URL": "e",
			"MICROBLOG_WRITE_RATE": "7", "MICROBLOG_LOG_LEVEL": "warn", "MICROBLOG_LOG_FORMAT": "nonsense",
		}, all},
		"a flag over a wrong variable": {[]string{"-log-level", "info"}, map[string]string{"MICROBLOG_LOG_LEVEL": "loud"}, defaults},
		"traces to a collector":        {nil, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, traced},
		"only traces to one":           {nil, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, traced},
		"traces switched off": {
			nil, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, defaults,
		},
		"telemetry switched off": {
			nil, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, defaults,
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
		"an unknown command":       {[]string{"fly"}, nil, `unknown command "fly": microblog -help lists the commands`},
		"an unknown flag":          {[]string{"-fly"}, nil, "-fly"},
		"an unknown flag of serve": {[]string{"serve", "-fly"}, nil, "-fly"},
		"an argument":              {[]string{"serve", "now"}, nil, `unexpected argument "now"`},
		"a flag behind an id":      {[]string{"discard", "1", "-data-dir", "x"}, nil, "-data-dir follows an ID"},
		"an argument of parked":    {[]string{"parked", "1"}, nil, `unexpected argument "1"`},
		"unpark of nothing":        {[]string{"unpark"}, nil, "by the IDs that parked lists, or use -all"},
		"unpark of some and all":   {[]string{"unpark", "-all", "1"}, nil, "by the IDs that parked lists, or use -all"},
		"discard of nothing":       {[]string{"discard"}, nil, "by the IDs that parked lists"},
		"discard of all":           {[]string{"discard", "-all"}, nil, "-all"},
		"a flag without its value": {[]string{"-addr"}, nil, "-addr"},
		"a log level":              {[]string{"-log-level", "loud"}, nil, `invalid value "loud" for flag -log-level`},
		"a log level by variable":  {nil, map[string]string{"MICROBLOG_LOG_LEVEL": "loud"}, `MICROBLOG_LOG_LEVEL is "loud"`},
		"a log format":             {[]string{"-log-format", "xml"}, nil, `log format "xml": it must be text or json`},
		"a write rate":             {[]string{"-write-rate", "-1"}, nil, "write rate -1: it must be 0 or more"},
		"NATS replicas":            {[]string{"-nats-replicas", "all"}, nil, `invalid value "all" for flag -nats-replicas`},
		"a number of posts":        {[]string{"seed", "-posts", "-1"}, nil, "posts: the number must be 0 or more"},
		"posts of another command": {[]string{"serve", "-posts", "1"}, nil, "-posts"},
		"a bad DSN":                {[]string{"-mysql-dsn", "nonsense", "-data-dir", t.TempDir()}, nil, "MySQL DSN"},
		"a bad PostgreSQL DSN":     {[]string{"-postgres-dsn", "nonsense"}, nil, "PostgreSQL DSN"},
		"two write models":         {[]string{"-postgres-dsn", "postgres://x", "-mysql-dsn", "y"}, nil, "give one of them"},
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
	flags := regexp.MustCompile(`(?m)^  -(\S+)  `).FindAllStringSubmatch(output.String(), -1)
	var names []string
	for _, flag := range flags {
		names = append(names, flag[1])
	}
	require.Equal(t, []string{
		"addr", "operations-addr", "write-rate", "client-header", "demo", "data-dir", "postgres-dsn", "postgres-listen-dsn", "mysql-dsn",
		"mongo-uri", "nats-url",
		"nats-replicas",
		"log-level", "log-format",
	}, names)
	for _, command := range commands() {
		require.Contains(t, output.String(), "\n  "+command+" ")
	}
	for _, shown := range []string{"(:8080)", "(50)", "(data)", "(info)", "(text)"} {
		require.Contains(t, output.String(), shown, "a default, as in TestSettings")
	}
	for command, own := range map[string]string{
		"seed": "-posts", "rebuild": "-after", "audit": "-repair", "purge": "-older-than", "unpark": "-all", "replay": "-all",
	} {
		require.Regexp(t, `\n  `+command+` .*`+own, output.String())
	}
}

// TestSeed writes posts, and says how many there are.
func TestSeed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var results, progress bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"seed", "-posts", "40", "-data-dir", dir}, environment(nil), &results, &progress))
	require.Regexp(t, `^wrote 40 posts in `, results.String())
	require.Equal(t, strings.Repeat("#", 50)+"\n", progress.String())
	parts, err := stack.Open(t.Context(), stack.Config{DataDir: dir}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	posts, err := parts.Posts.Scan(t.Context(), "", 100)
	require.NoError(t, err)
	require.Len(t, posts, 40)
	require.ErrorIs(t, run(t.Context(), []string{"seed", "-data-dir", dir}, environment(nil), &results, &progress), stack.ErrInUse)
	require.NoError(t, parts.Close())

	results.Reset()
	ctx, cancel := context.WithCancel(t.Context())
	stopping := writerFunc(func() { cancel() })
	err = run(ctx, []string{"seed", "-posts", "100000", "-data-dir", dir}, environment(nil), &results, stopping)
	require.ErrorIs(t, err, context.Canceled)
	require.Regexp(t, `^wrote \d{1,5} posts in `, results.String(), "what was written before it was stopped")
}

// writerFunc is called for each write.
type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}

func TestLogFormat(t *testing.T) {
	t.Parallel()
	var text, encoded bytes.Buffer
	settings{}.logger(&text).Info("up", "n", 1)
	settings{json: true}.logger(&encoded).Info("up", "n", 1)
	require.Contains(t, text.String(), "msg=up n=1")
	require.Contains(t, encoded.String(), `"msg":"up","n":1}`)
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
	const patience = time.Minute
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
	require.Eventually(t, func() bool { return strings.Contains(output.String(), "\n  Open "+url+"\n") }, patience, 5*time.Millisecond)
	require.Eventually(t, func() bool { return feedmill.CheckReady(t.Context(), url+"/readyz") == nil },
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

// TestTracesGoToACollector by the standard variables, which the exporter reads from the process.
func TestTracesGoToACollector(t *testing.T) {
	sent := make(chan string, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sent <- r.URL.Path + " " + r.Header.Get("Api-Key")
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var output lockedBuffer
	stopped := make(chan error, 1)
	go func() {
		stopped <- run(ctx, []string{"-addr", "127.0.0.1:0", "-data-dir", t.TempDir()}, os.Getenv, &output, &output)
	}()
	var url string
	require.Eventually(t, func() bool {
		found := regexp.MustCompile(`url=(http://127\.0\.0\.1:\d+)`).FindStringSubmatch(output.String())
		if found != nil {
			url = found[1]
		}
		return url != "" && feedmill.CheckReady(t.Context(), url+"/readyz") == nil
	}, time.Minute, 5*time.Millisecond)
	response, err := http.Post(url+"/api/generate/post", "", http.NoBody)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	stop()
	require.NoError(t, <-stopped)
	require.Equal(t, "/v1/traces secret", <-sent, "at the latest when it stops")
	http.DefaultClient.CloseIdleConnections()
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
	err = run(t.Context(), []string{"healthcheck", "-addr", ":" + port}, environment(nil), io.Discard, io.Discard)
	require.ErrorContains(t, err, "not ready: reach mysql: refused")
	server.Close()
	for _, addr := range []string{":" + port, "nonsense address"} {
		err := run(t.Context(), []string{"healthcheck", "-addr", addr}, environment(nil), io.Discard, io.Discard)
		require.ErrorContains(t, err, "ask whether the app is ready", addr)
	}
}

// TestListen: the URL is one by which this machine reaches the listener.
func TestListen(t *testing.T) {
	t.Parallel()
	for addr, host := range map[string]string{":0": "localhost", "0.0.0.0:0": "localhost", "[::]:0": "localhost", "127.0.0.1:0": "127.0.0.1"} {
		listener, url, err := listen(t.Context(), addr)
		require.NoError(t, err)
		_, port, err := net.SplitHostPort(listener.Addr().String())
		require.NoError(t, err)
		require.Equal(t, "http://"+host+":"+port, url, addr)
		require.NoError(t, listener.Close())
	}
}
