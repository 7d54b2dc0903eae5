package postgresstore

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// TestBounded: bounds are added to a DSN that has none, and those of the DSN stay. A pooler would refuse the session's.
func TestBounded(t *testing.T) {
	t.Parallel()
	const idle = "idle_in_transaction_session_timeout"
	for dsn, want := range map[string]struct {
		connect time.Duration
		idle    string
	}{
		"postgres://h/app": {2 * time.Second, "20000"},
		"postgres://h/app?connect_timeout=7&" + idle + "=60000": {7 * time.Second, "60000"},
		"postgres://h/app?default_query_exec_mode=exec":         {2 * time.Second, ""},
	} {
		config, err := pgx.ParseConfig(dsn)
		require.NoError(t, err)
		before := config.Copy()
		got := bounded(config)
		require.Equal(t, want.connect, got.ConnectTimeout, dsn)
		require.Equal(t, want.idle, got.RuntimeParams[idle], dsn)
		require.Equal(t, before.RuntimeParams, config.RuntimeParams, "it is the caller's")
		require.Equal(t, before.ConnectTimeout, config.ConnectTimeout, "it is the caller's")
	}
}
