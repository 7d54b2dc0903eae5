// Package dropin_test runs an application that is written for watermill-http's SSERouter on that router and on
// ssestream.Router, and requires the same behaviour. The application is in app/.
package dropin_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
