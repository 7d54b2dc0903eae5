package sqlstore

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
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
		c := newCreations(1, func(take func() []*creation) error {
			together += len(take())
			return nil
		})
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
		assert.Zero(t, c.busy)
	})
}

// TestThoseThatCannotShareGoBesideEachOther, but not all at once, and are not held up by some that take long.
func TestThoseThatCannotShareGoBesideEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const items = 5 * loneAtOnce
		c := newCreations(1, func(func() []*creation) error { return errors.New("full") })
		var running sync.WaitGroup
		var now, most atomic.Int32
		create := func(takes time.Duration) {
			running.Go(func() {
				assert.NoError(t, c.do(t.Context(), newCreation("x", ""), func() error {
					n := now.Add(1)
					defer now.Add(-1)
					if takes < longestTurn {
						most.Store(max(most.Load(), n))
					}
					<-time.After(takes)
					return nil
				}))
			})
			synctest.Wait()
		}
		for range items {
			create(time.Millisecond)
		}
		running.Wait()
		assert.Equal(t, int32(loneAtOnce), most.Load())

		create(time.Millisecond) // in the slot
		for range loneAtOnce {
			create(time.Hour)
		}
		create(time.Millisecond)
		<-time.After(2 * longestTurn)
		assert.Equal(t, int32(loneAtOnce), now.Load(), "the last one is done")
		running.Wait()
	})
}

// TestCreationsThatShareFitIntoOneInsert: by number and by size, and one that is larger goes nevertheless.
func TestCreationsThatShareFitIntoOneInsert(t *testing.T) {
	t.Parallel()
	sizes := func(each, n int) (sizes []int) {
		c := newCreations(1, nil)
		for range n {
			c.waiting = append(c.waiting, newCreation("x", strings.Repeat("x", each)))
		}
		for group := c.next(); len(group) > 0; group = c.next() {
			sizes = append(sizes, len(group))
		}
		require.Empty(t, c.waiting)
		return sizes
	}
	assert.Equal(t, []int{maxInsertMessages, maxInsertMessages, 7}, sizes(1, 2*maxInsertMessages+7))
	assert.Equal(t, []int{4, 4, 1}, sizes(maxInsertBytes/4, 9))
	assert.Equal(t, []int{1, 1}, sizes(2*maxInsertBytes, 2))
}
