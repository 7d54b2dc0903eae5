package backoff_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/internal/backoff"
)

func TestWaitsDoubleUpToMaxAndStartAgainAfterReset(t *testing.T) {
	t.Parallel()
	b := backoff.Backoff{Min: 100 * time.Millisecond, Max: 300 * time.Millisecond}
	between := func(most time.Duration) {
		t.Helper()
		wait := b.Next()
		assert.GreaterOrEqual(t, wait, most/2)
		assert.LessOrEqual(t, wait, most)
	}
	between(100 * time.Millisecond)
	between(200 * time.Millisecond)
	between(300 * time.Millisecond)
	between(300 * time.Millisecond)
	b.Reset()
	between(100 * time.Millisecond)
}

func TestSleepEndsWithTheTimeOrTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		assert.True(t, backoff.Sleep(t.Context(), time.Second))
		assert.Equal(t, time.Second, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.False(t, backoff.Sleep(ctx, time.Hour))
		assert.Equal(t, 2*time.Second, time.Since(start))
	})
}

func TestBetweenIncludesItsBounds(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for range 1000 {
		seen[backoff.Between(3, 5)] = true
	}
	assert.Equal(t, map[time.Duration]bool{3: true, 4: true, 5: true}, seen)
	assert.Equal(t, time.Second, backoff.Between(time.Second, time.Second))
}
