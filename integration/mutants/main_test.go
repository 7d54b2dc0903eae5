// Package mutants_test shows that the tests of crashes would notice if a mechanism were missing that a store's promises
// rest on: it takes each of them out in turn and has the tests run on what is left.
package mutants_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
