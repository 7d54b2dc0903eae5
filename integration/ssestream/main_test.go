// Package ssestream_test has parsers that are not ours read what a router sent, from a real server: go-sse's client,
// and the npm package eventsource-parser (in parser/, where `npm ci` has to have run, as `make test` sees to).
// Package browser beside it does the same with Chromium.
package ssestream_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
