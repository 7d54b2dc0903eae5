// Package rebuild_test kills a rebuild of the microblog, and replaces its read model, while posts are written and read.
package rebuild_test

import (
	"testing"
	"time"

	"github.com/feedmill/feedmill/integration/internal/servers"
)

// patience bounds the wait for a condition.
const patience = time.Minute

func TestMain(m *testing.M) { servers.Main(m) }
