// Package pipeline_test runs the whole microblog, from a request to the event of an open page, on each supported set of
// servers.
package pipeline_test

import (
	"testing"
	"time"

	"github.com/feedmill/feedmill/integration/internal/servers"
)

// timeout limits every wait. It is less than the interval at which a router reloads what its clients follow, so that no
// test passes by a reload.
const timeout = 20 * time.Second

func TestMain(m *testing.M) { servers.Main(m) }
