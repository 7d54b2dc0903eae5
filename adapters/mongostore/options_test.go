package mongostore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
)

// TestClientOptions: the URI wins.
func TestClientOptions(t *testing.T) {
	t.Parallel()
	bounds := mongostore.ClientOptions().ApplyURI("mongodb://localhost")
	for _, got := range []*time.Duration{bounds.ServerSelectionTimeout, bounds.ConnectTimeout, bounds.HeartbeatInterval} {
		require.Equal(t, 2*time.Second, *got)
	}
	require.Equal(t, 5*time.Second, *bounds.Timeout)
	bounds = mongostore.ClientOptions().ApplyURI(
		"mongodb://localhost/?serverSelectionTimeoutMS=7000&connectTimeoutMS=7000&heartbeatFrequencyMS=7000&timeoutMS=7000")
	for _, got := range []*time.Duration{bounds.ServerSelectionTimeout, bounds.ConnectTimeout, bounds.HeartbeatInterval, bounds.Timeout} {
		require.Equal(t, 7*time.Second, *got)
	}
}
