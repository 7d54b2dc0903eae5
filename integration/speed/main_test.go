// Package speed_test measures the way of a post into its feeds on real servers. Everything in it is a benchmark.
// benchmarks/README.md has the figures and their commands.
package speed_test

import (
	"testing"

	"github.com/feedmill/feedmill/integration/internal/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }
