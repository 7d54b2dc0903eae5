package natspubsub_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
)

// TestConnectOptions: a dead connection is replaced within ten seconds, and an outage never ends a connection.
func TestConnectOptions(t *testing.T) {
	t.Parallel()
	options := nats.GetDefaultOptions()
	for _, option := range natspubsub.ConnectOptions() {
		require.NoError(t, option(&options))
	}
	require.Less(t, options.PingInterval*time.Duration(options.MaxPingsOut+1), 10*time.Second)
	require.Less(t, options.FlusherTimeout, 10*time.Second)
	require.Negative(t, options.MaxReconnect)
	require.True(t, options.RetryOnFailedConnect)
}
