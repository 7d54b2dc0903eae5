package feedtest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/feedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/memstore"
)

// faultVariable makes TestFeedStoreSuite run on a store with that fault.
const faultVariable = "FEEDMILL_STORE_FAULT"

// faults are the faults of a store, each with the behaviours that must fail.
func faults() map[memstore.Fault][]string {
	return map[memstore.Fault][]string{
		memstore.NoGuard:              {"order", "apply", "concurrency"},
		memstore.NoRemoval:            {"tags", "apply", "order"},
		memstore.NoCounting:           {"counts", "apply"},
		memstore.DoubleCounting:       {"counts", "apply"},
		memstore.NoSecondAnnouncement: {"idempotence"},
		memstore.Milliseconds:         {"values"},
		memstore.UnorderedTies:        {"paging"},
		memstore.HalfBatch:            {"invalid"},
		memstore.OffsetCursor:         {"paging"},
		memstore.LargePages:           {"paging"},
		memstore.NoRules:              {"rules"},
		memstore.EmptyListed:          {"counts", "tags"},
		memstore.Withholding:          {"withheld"},
		memstore.WithheldForGood:      {"withheld"},
		memstore.ConstantRevision:     {"idempotence"},
		memstore.EncodedAgain:         {"bodies"},
	}
}

// TestFeedStoreSuite shows that a store that keeps the contract passes.
func TestFeedStoreSuite(t *testing.T) {
	t.Parallel()
	f := memstore.Fault(os.Getenv(faultVariable))
	feedtest.TestFeedStore(t, func(*testing.T) cqrsfeed.FeedStore[cqrsfeedtest.Body] {
		return memstore.New(f)
	})
}

// TestFeedStoreSuiteFindsFaults shows that a store with any one fault fails. It runs this binary with the fault.
func TestFeedStoreSuiteFindsFaults(t *testing.T) {
	t.Parallel()
	if os.Getenv(faultVariable) != "" {
		return // this is such a run
	}
	for f, behaviours := range faults() {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			run := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.timeout=2m",
				"-test.run=^TestFeedStoreSuite$/^("+strings.Join(behaviours, "|")+")$")
			run.Env = append(os.Environ(), faultVariable+"="+string(f))
			output, err := run.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "the suite passed:\n%s", output)
			for _, behaviour := range behaviours {
				require.Contains(t, string(output), "--- FAIL: TestFeedStoreSuite/"+behaviour+" ")
			}
		})
	}
}
