package stack_test

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/examples/microblog/stack"
)

// TestMain also checks that a failed Open leaves nothing running.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const password = "verysecret"

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestOpenEmbedded(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "as needed")
	opened, err := stack.Open(t.Context(), stack.Config{DataDir: dir}, discard())
	require.NoError(t, err)
	require.Len(t, opened.Checks, 1)
	require.NoError(t, opened.Checks[0](t.Context()))
	var runs []string
	for _, part := range opened.Runs {
		runs = append(runs, part.Key+" "+part.Value.String())
	}
	require.Equal(t, []string{"sqlite " + filepath.Join(dir, "microblog.db")}, runs)
	require.NoError(t, opened.Close())
	require.NoError(t, opened.Close(), "nothing is closed twice")
	require.ErrorContains(t, opened.Checks[0](t.Context()), "reach sqlite at "+dir)
}

func TestOpenAgain(t *testing.T) {
	t.Parallel()
	config := stack.Config{DataDir: t.TempDir()}
	opened, err := stack.Open(t.Context(), config, discard())
	require.NoError(t, err)
	p, err := post.New("A title", "#go", "Ada")
	require.NoError(t, err)
	created, err := opened.Posts.Create(t.Context(), "a", p)
	require.NoError(t, err)
	require.NoError(t, opened.Close())

	opened, err = stack.Open(t.Context(), config, discard())
	require.NoError(t, err)
	got, err := opened.Posts.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, created, got)
	require.NoError(t, opened.Close())
}

// log records what is logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestOpenFails uses addresses that are malformed or unreachable. Each error says what was tried, and neither the error nor the
// log has the password. TestMain checks that nothing stays open.
func TestOpenFails(t *testing.T) {
	t.Parallel()
	nobody := unusedAddress(t)
	for name, test := range map[string]struct {
		config stack.Config
		says   string
	}{
		"MySQL DSN without a slash": {stack.Config{MySQLDSN: "root:" + password + "@tcp(db:3306)"}, "MySQL DSN"},
		"MySQL DSN with a bad net":  {stack.Config{MySQLDSN: "root:" + password + "@tpc(db:3306)/x"}, "unknown network"},
		"MySQL DSN with a bad flag": {stack.Config{MySQLDSN: "root:" + password + "@tcp(db)/x?parseTime=perhaps"}, "MySQL DSN"},
		"MySQL is away":             {stack.Config{MySQLDSN: "root:" + password + "@tcp(" + nobody + ")/x"}, "MySQL"},
		"MongoDB URI of another":    {stack.Config{MongoURI: "http://root:" + password + "@db/x"}, "MongoDB URI"},
		"MongoDB URI with a slash":  {stack.Config{MongoURI: "mongodb://root:" + password + "/@db:27017/x"}, "MongoDB URI"},
		"MongoDB URI with a colon":  {stack.Config{MongoURI: "mongodb://root:" + password + ":x@db:27017/x"}, "MongoDB URI"},
		"MongoDB URI with escapes":  {stack.Config{MongoURI: "mongodb://root:" + password + "%zz@db:27017/x"}, "MongoDB URI"},
		"MongoDB URI with bad port": {stack.Config{MongoURI: "mongodb://root:" + password + "@db:port/x"}, "MongoDB URI"},
		"MongoDB is away":           {stack.Config{MongoURI: "mongodb://root:" + password + "@" + nobody + "/x"}, "MongoDB"},
		"NATS URL with a bad port":  {stack.Config{NATSURL: "nats://root:" + password + "@db:port"}, "NATS"},
		"NATS URL with escapes":     {stack.Config{NATSURL: "nats://root:" + password + "%zz@db:4222"}, "NATS"},
		"NATS URL with a slash":     {stack.Config{NATSURL: "nats://root:" + password + "/@db:4222"}, "NATS"},
		"NATS URL with a space":     {stack.Config{NATSURL: "nats://root:" + password + " @db:4222"}, "NATS"},
		"NATS is away":              {stack.Config{NATSURL: "nats://root:" + password + "@" + nobody}, "NATS"},
		"NATS token, away":          {stack.Config{NATSURL: "nats://" + password + "@" + nobody}, "NATS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.config.DataDir = t.TempDir()
			test.config.StartTimeout = time.Second
			var logged log
			_, err := stack.Open(t.Context(), test.config, slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
			require.ErrorContains(t, err, test.says)
			require.NotContains(t, err.Error(), password)
			require.NotContains(t, logged.String(), password)
		})
	}
}

func TestOpenHeedsItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := stack.Open(ctx, stack.Config{DataDir: t.TempDir()}, discard())
	require.ErrorIs(t, err, context.Canceled)
}

func TestOpenNeedsItsFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := stack.Open(t.Context(), stack.Config{DataDir: file}, discard())
	require.ErrorContains(t, err, "data folder")
	var wrong *fs.PathError
	require.ErrorAs(t, err, &wrong)
}

// unusedAddress returns an address that nobody listens on.
func unusedAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func TestADataDirIsUsedByOneAtATime(t *testing.T) {
	t.Parallel()
	config := stack.Config{DataDir: t.TempDir()}
	first, err := stack.Open(t.Context(), config, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, err = stack.Open(t.Context(), config, slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, stack.ErrInUse)
	require.ErrorContains(t, err, config.DataDir)
	require.NoError(t, first.Close())
	again, err := stack.Open(t.Context(), config, slog.New(slog.DiscardHandler))
	require.NoError(t, err, "free again after Close")
	require.NoError(t, again.Close())
}
