//go:build linux

package measure_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/server"
)

func TestMain(m *testing.M) {
	server.ServeIfAsked()
	// By default the race detector makes every process sleep for a second at its end.
	_ = os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	goleak.VerifyTestMain(m)
}
