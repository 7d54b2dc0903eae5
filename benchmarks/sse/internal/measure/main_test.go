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
	// The race detector has every process end with a second of sleep, to hear of other goroutines' last races.
	_ = os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0") // It is slower without.
	goleak.VerifyTestMain(m)
}
