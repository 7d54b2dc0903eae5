package groupcommit_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/groupcommit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const turn = 100 * time.Millisecond // the default

// newGroup returns a group with one slot, in which all waiting entries fit into one transaction.
func newGroup(share func(take func() []string) []error) *groupcommit.Group[string] {
	return groupcommit.New(groupcommit.Config[string]{
		Slots: 1, Share: share, Fit: func(entries []string) int { return len(entries) },
	})
}

func succeed() error { return nil }

// hold lets an entry hold the slot until release is called.
func hold(t *testing.T, g *groupcommit.Group[string]) (release func()) {
	t.Helper()
	held := make(chan struct{})
	go func() {
		assert.NoError(t, g.Do(t.Context(), "first", func() error {
			<-held
			return nil
		}))
	}()
	synctest.Wait()
	return func() { close(held) }
}

func TestEntriesThatWaitGoTogetherInTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var groups [][]string
		g := groupcommit.New(groupcommit.Config[string]{
			Slots: 1,
			Fit:   func(entries []string) int { return min(3, len(entries)) },
			Share: func(take func() []string) []error {
				entries := take()
				assert.Equal(t, entries, take(), "a second try has the same entries")
				groups = append(groups, entries)
				return make([]error, len(entries))
			},
		})
		release := hold(t, g)
		for i := range 7 {
			go func() { assert.NoError(t, g.Do(t.Context(), strconv.Itoa(i), succeed)) }()
			synctest.Wait()
		}
		assert.Equal(t, 7, g.Waiting())
		release()
		synctest.Wait()
		assert.Equal(t, [][]string{{"0", "1", "2"}, {"3", "4", "5"}}, groups, "and a single one goes alone")
	})
}

// TestEveryCallerGetsTheResultOfItsOwnEntry. Entries without a result, or left out, are written alone.
func TestEveryCallerGetsTheResultOfItsOwnEntry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errUnknown, errTaken := errors.New("unknown"), errors.New("taken")
		g := newGroup(func(take func() []string) []error {
			take()
			return []error{nil, errUnknown, groupcommit.ErrAlone}
		})
		release := hold(t, g)
		results := map[string]error{}
		var mu sync.Mutex
		for _, entry := range []string{"written", "unknown", "left out", "no result"} {
			go func() {
				err := g.Do(t.Context(), entry, func() error { return errTaken })
				mu.Lock()
				defer mu.Unlock()
				results[entry] = err
			}()
			synctest.Wait()
		}
		release()
		synctest.Wait()
		assert.Equal(t, map[string]error{
			"written": nil, "unknown": errUnknown, "left out": errTaken, "no result": errTaken,
		}, results)
	})
}

// TestACallerGivesUpOnlyBeforeItsEntryIsTaken.
func TestACallerGivesUpOnlyBeforeItsEntryIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin, commit := make(chan struct{}), make(chan struct{})
		g := newGroup(func(take func() []string) []error {
			<-begin
			entries := take()
			assert.Equal(t, []string{"b", "c"}, entries)
			<-commit
			return make([]error, len(entries))
		})
		release := hold(t, g)
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan error, 1)
		go func() { gaveUp <- g.Do(ctx, "a", succeed) }()
		synctest.Wait()
		late, cancelLate := context.WithCancel(t.Context())
		waited := make(chan error, 2)
		for _, entry := range []string{"b", "c"} {
			go func() { waited <- g.Do(late, entry, succeed) }()
			synctest.Wait()
		}
		release()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-gaveUp, context.Canceled)
		close(begin)
		synctest.Wait()
		cancelLate()
		synctest.Wait()
		assert.Empty(t, waited, "it waits for the transaction")
		close(commit)
		assert.NoError(t, <-waited)
		assert.NoError(t, <-waited)
	})
}

// TestWhenAllGiveUpNothingIsShared, even though the transaction has begun.
func TestWhenAllGiveUpNothingIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := make(chan struct{})
		g := newGroup(func(take func() []string) []error {
			<-begin
			assert.Empty(t, take())
			return nil
		})
		release := hold(t, g)
		ctx, cancel := context.WithCancel(t.Context())
		for _, entry := range []string{"a", "b"} {
			go func() { assert.ErrorIs(t, g.Do(ctx, entry, succeed), context.Canceled) }()
		}
		synctest.Wait()
		release()
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(begin)
		synctest.Wait()
		assert.NoError(t, g.Do(t.Context(), "next", succeed))
	})
}

// TestAnEntryThatTakesLongHoldsUpNobody: its turn ends, and other entries are written concurrently.
func TestAnEntryThatTakesLongHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		together := 0
		g := newGroup(func(take func() []string) []error {
			together += len(take())
			return make([]error, together)
		})
		began := time.Now()
		release := hold(t, g)
		var running sync.WaitGroup
		for _, entry := range []string{"a", "b"} {
			running.Go(func() {
				err := g.Do(t.Context(), entry, func() error { return errors.New("alone") })
				assert.Equal(t, turn, time.Since(began))
				assert.NoError(t, err)
			})
		}
		running.Wait()
		assert.Equal(t, 2, together)
		require.NoError(t, g.Do(t.Context(), "c", succeed), "the slot is free")
		release()
	})
}

// TestThoseThatCannotShareGoBesideEachOther, at most maxAlone at a time. Slow ones do not delay the others.
func TestThoseThatCannotShareGoBesideEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const atOnce = 16
		g := newGroup(func(func() []string) []error { return nil })
		var running sync.WaitGroup
		var now, most atomic.Int32
		write := func(takes time.Duration) {
			running.Go(func() {
				assert.NoError(t, g.Do(t.Context(), "x", func() error {
					n := now.Add(1)
					defer now.Add(-1)
					if takes < turn {
						most.Store(max(most.Load(), n))
					}
					<-time.After(takes)
					return nil
				}))
			})
			synctest.Wait()
		}
		for range 5 * atOnce {
			write(time.Millisecond)
		}
		running.Wait()
		assert.Equal(t, int32(atOnce), most.Load())

		write(time.Millisecond) // in the slot
		for range atOnce {
			write(time.Hour)
		}
		write(time.Millisecond)
		<-time.After(2 * turn)
		assert.Equal(t, int32(atOnce), now.Load(), "the last one is done")
		running.Wait()
	})
}
