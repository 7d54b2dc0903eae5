// Package rebuild_test kills the microblog's rebuild while another microblog serves and posts are written.
package rebuild_test

import (
	"testing"
	"time"

	"github.com/feedmill/feedmill/integration/internal/servers"
)

// patience bounds a wait for what has to happen.
const patience = time.Minute

func TestMain(m *testing.M) { servers.Main(m) }
