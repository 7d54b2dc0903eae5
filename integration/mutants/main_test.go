// Package mutants_test shows that the tests of crashes would notice if a mechanism were missing that a store's promises
// rest on: it removes one mechanism at a time and runs the tests on the rest.
package mutants_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
