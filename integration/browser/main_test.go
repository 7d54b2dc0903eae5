// Package browser_test looks at the microblog as people do: with a headless Chromium whose windows write,
// change and follow posts. The frontend has to be built (`make web`); the browser is the one that
// FEEDMILL_CHROMIUM names or that is on PATH.
package browser_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
