// Package pipeline_test runs the microblog as a whole, from a request to the event that an open page gets, on
// each set of servers that it is made for.
package pipeline_test

import (
	"testing"
	"time"

	"github.com/feedmill/feedmill/integration/internal/servers"
)

// patience bounds a wait for what has to happen. It is less than the time after which a router reloads what
// its clients follow, so that no test passes by that.
const patience = 20 * time.Second

func TestMain(m *testing.M) { servers.Main(m) }
