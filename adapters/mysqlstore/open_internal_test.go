package mysqlstore

import (
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// TestBounded: bounds are added to a DSN that has none, and those of the DSN stay.
func TestBounded(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"u:p@tcp(h:1)/app": "u:p@tcp(h:1)/app?timeout=2s&wait_timeout=20",
		"u:p@tcp(h:1)/app?timeout=7s&wait_timeout=60&a=b": "u:p@tcp(h:1)/app?timeout=7s&a=b&wait_timeout=60",
	} {
		config, err := mysql.ParseDSN(dsn)
		require.NoError(t, err)
		before := config.FormatDSN()
		require.Equal(t, want, bounded(config).FormatDSN())
		require.Equal(t, before, config.FormatDSN(), "it is the caller's")
	}
}
