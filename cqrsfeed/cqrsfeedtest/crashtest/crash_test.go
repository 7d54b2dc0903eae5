package crashtest_test

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/memstore"
)

const crashFaultVariable = "FEEDMILL_CRASH_FAULT"

// tornWrites is a fault that only a crash shows: the store keeps an item's version before its entries, and takes
// a repetition for applied.
const tornWrites memstore.Fault = "a version is known before its entries are written"

// steppedStore is the connection of a process to a store in memory.
type steppedStore struct {
	*memstore.Store

	process *crashtest.Process
	claims  *claims // nil where a change is one step
}

type claims struct {
	mu       sync.Mutex
	versions map[string]int64
}

func (c *claims) claim(item cqrsfeed.Item[cqrsfeedtest.Body]) (won bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	won = c.versions[item.ID] < item.Version
	c.versions[item.ID] = max(c.versions[item.ID], item.Version)
	return won
}

func (s steppedStore) Apply(
	ctx context.Context, batch []cqrsfeed.FeedChange[cqrsfeedtest.Body],
) (updated []cqrsfeed.FeedUpdated, err error) {
	won := batch
	if s.claims != nil {
		err = s.process.Step("claim", func() error {
			won = nil
			for _, change := range batch {
				if s.claims.claim(change.Item) {
					won = append(won, change)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	err = s.process.Step("apply", func() error {
		updated, err = s.Store.Apply(ctx, won)
		return err
	})
	return updated, err
}

// TestCrashes shows that a store that keeps the contract passes.
func TestCrashes(t *testing.T) {
	t.Parallel()
	f := memstore.Fault(os.Getenv(crashFaultVariable))
	crashtest.TestFeedStore(t, func(*testing.T) crashtest.FeedStoreProcesses {
		store := memstore.New(f)
		var shared *claims
		if f == tornWrites {
			shared = &claims{versions: make(map[string]int64)}
		}
		return crashtest.FeedStoreProcesses{
			Open: func(process *crashtest.Process) (cqrsfeed.FeedStore[cqrsfeedtest.Body], func(), error) {
				return steppedStore{store, process, shared}, func() {}, nil
			},
		}
	})
}

// TestCrashesFindFaults shows that a store with any one fault fails, and that the failure says how to repeat it. It
// runs this binary with the fault.
func TestCrashesFindFaults(t *testing.T) {
	t.Parallel()
	for _, f := range []memstore.Fault{tornWrites, memstore.NoGuard, memstore.NoRemoval, memstore.NoCounting, memstore.NoSecondAnnouncement} {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			run := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.timeout=2m", "-test.run=^TestCrashes$")
			run.Env = append(os.Environ(), crashFaultVariable+"="+string(f), "FEEDMILL_CRASHES=500")
			output, err := run.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "the test passed:\n%s", output)
			require.Regexp(t, `this was seed \d+; again with: FEEDMILL_CRASH_SEED=\d+ go test -count=10 -run '\^TestCrashes\$'`, string(output))
			require.Contains(t, string(output), " begins with ")
		})
	}
}
