//go:build linux

package server_test

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/contestant"
	"github.com/feedmill/feedmill/benchmarks/sse/internal/server"
)

func TestMain(m *testing.M) {
	server.ServeIfAsked()
	// By default the race detector makes every process sleep for a second at its end.
	_ = os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	goleak.VerifyTestMain(m)
}

func TestProcess(t *testing.T) {
	t.Parallel()
	process, err := server.Start(t.Context(), server.Spec{Contestant: contestant.Feedmill, Size: 200, Change: contestant.NewPost})
	require.NoError(t, err)
	before, err := process.Usage()
	require.NoError(t, err)
	require.Positive(t, before.RSS)
	require.Positive(t, before.Goroutines)

	start := time.Now()
	published, err := process.Publish()
	require.NoError(t, err)
	require.Equal(t, int64(contestant.First+1), published.N)
	require.Len(t, published.EventID, 16)
	require.WithinRange(t, published.At, start.Round(0), time.Now().Round(0), "both processes have the same clock")

	after, err := process.Settled()
	require.NoError(t, err)
	require.Greater(t, after.CPU, before.CPU)
	require.Greater(t, after.Writes, before.Writes, "the replies are writes")
	require.Greater(t, after.Written, before.Written)

	require.NoError(t, process.Close())
	_, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", process.Address().String())
	require.Error(t, err, "the server has ended")
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	for reason, spec := range map[string]server.Spec{
		"unknown name":       {Contestant: "nobody", Size: 200, Change: contestant.NewPost},
		"too small":          {Contestant: contestant.Feedmill, Size: 20, Change: contestant.NewPost},
		"unknown change":     {Contestant: contestant.Feedmill, Size: 200},
		"no program":         {Contestant: contestant.Centrifugo, Size: 200, Change: contestant.NewPost},
		"recording is empty": {Contestant: contestant.Floor, Size: 200, Change: contestant.NewPost},
	} {
		_, err := server.Start(t.Context(), spec)
		require.ErrorContains(t, err, reason)
	}
}

// TestServerEndsWithContext tests what an interrupted run relies on.
func TestServerEndsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	process, err := server.Start(ctx, server.Spec{Contestant: contestant.Stock, Size: 200, Change: contestant.NewPost})
	require.NoError(t, err)
	cancel()
	require.Eventually(t, func() bool { // the server is killed by another goroutine
		_, err = process.Publish()
		return err != nil
	}, time.Minute, time.Millisecond)
	require.Error(t, process.Close())
}
