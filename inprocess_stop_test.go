package feedmill_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
)

// TestAStopLosesNothing: what was accepted is in its feed, or in the outbox for the next start.
func TestAStopLosesNothing(t *testing.T) {
	t.Parallel()
	for range 20 {
		stopWhileWriting(t)
	}
}

func stopWhileWriting(t *testing.T) {
	t.Helper()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	n.add(t, app)
	stop := run(t, app)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writers sync.WaitGroup
	var accepted atomic.Int64
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				_, err := n.repo.Create(t.Context(), fmt.Sprintf("n%d-%d", w, i), note{Tag: "go"})
				if assert.NoError(t, err) && accepted.Add(1) == 20 {
					cancel()
				}
			}
		})
	}
	<-ctx.Done()
	stop()
	writers.Wait()

	again := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	n.add(t, again)
	stop = run(t, again)
	defer stop()
	require.Eventually(t, func() bool {
		page, err := n.feeds.Page(t.Context(), "go", "", 1)
		return err == nil && page.Feed.Count == accepted.Load()
	}, patience, time.Millisecond, "%d notes were accepted", accepted.Load())
}
