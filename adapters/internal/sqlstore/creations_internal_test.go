package sqlstore

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newCreation(id, encoded string) *creation {
	return &creation{id: id, encoded: encoded, event: message.NewMessage(id, nil), outcome: make(chan error, 1)}
}

// TestACreationThatTakesLongHoldsUpNobody: its turn ends, and others go beside it.
func TestACreationThatTakesLongHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		together := 0
		c := creations{atOnce: 1, turn: longestTurn, together: func(_ context.Context, group []*creation) error {
			together += len(group)
			return nil
		}}
		var running sync.WaitGroup
		began := time.Now()
		running.Go(func() {
			assert.NoError(t, c.do(t.Context(), newCreation("locked", ""), func() error {
				<-time.After(time.Minute)
				return nil
			}))
		})
		synctest.Wait()
		for _, id := range []string{"a", "b"} {
			running.Go(func() {
				err := c.do(t.Context(), newCreation(id, ""), func() error { return errAlone })
				assert.Equal(t, longestTurn, time.Since(began))
				assert.NoError(t, err)
			})
		}
		running.Wait()
		assert.Equal(t, 2, together)
		synctest.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		assert.Zero(t, c.running)
	})
}

// TestCreationsThatShareFitIntoOneInsert: by number and by size, and one that is larger goes nevertheless.
func TestCreationsThatShareFitIntoOneInsert(t *testing.T) {
	t.Parallel()
	sizes := func(each, n int) (sizes []int) {
		c := creations{running: 1}
		for range n {
			c.waiting = append(c.waiting, newCreation("x", strings.Repeat("x", each)))
		}
		for group := c.next(); len(group) > 0; group = c.next() {
			sizes = append(sizes, len(group))
		}
		require.Zero(t, c.running)
		return sizes
	}
	assert.Equal(t, []int{maxInsertMessages, maxInsertMessages, 7}, sizes(1, 2*maxInsertMessages+7))
	assert.Equal(t, []int{4, 4, 1}, sizes(maxInsertBytes/4, 9))
	assert.Equal(t, []int{1, 1}, sizes(2*maxInsertBytes, 2))
}
