// Package browser_test tests the microblog in a headless Chromium, whose windows create, change and follow posts. The
// frontend must be built (`make web`). The browser is that of FEEDMILL_CHROMIUM, or the first on PATH.
package browser_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
