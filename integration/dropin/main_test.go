// Package dropin_test has an application that is written for watermill-http's SSERouter run on that, and on
// ssestream.Router, and behave the same. The application is in app/.
package dropin_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
