package sqlstore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

func appendX(body *string) error {
	*body += "x"
	return nil
}

func TestFailuresThatPassAreTriedAgain(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{"BEGIN", "SELECT", "UPDATE", "INSERT", "COMMIT"} {
		for _, failure := range []error{errAgain, errLost} {
			if statement == "COMMIT" && errors.Is(failure, errLost) {
				continue
			}
			t.Run(statement+" "+failure.Error(), func(t *testing.T) {
				t.Parallel()
				f := open(t)
				f.faults.set(statement, times(3, failure))
				calls := 0
				item, err := f.repository.Update(t.Context(), "one", func(body *string) error {
					calls++
					return appendX(body)
				})
				require.NoError(t, err)
				assert.Equal(t, int64(2), item.Version)
				assert.Equal(t, "firstx", item.Body, "each try has a body of its own")
				assert.Equal(t, 1, f.drain(t))
				f.requireVersion(t, 2)
				if statement != "BEGIN" && statement != "SELECT" {
					assert.Equal(t, 4, calls)
				}
			})
		}
	}
}

func TestTriesAreBounded(t *testing.T) {
	t.Parallel()
	f := open(t)
	tries := 0
	f.faults.set("UPDATE", func(func() error) error {
		tries++
		return errAgain
	})
	_, err := f.repository.Update(t.Context(), "one", appendX)
	require.ErrorIs(t, err, errAgain)
	require.ErrorContains(t, err, `update item "one": gave up after 10 tries: update row: deadlock`)
	assert.Equal(t, 10, tries)
	f.requireVersion(t, 1)
	assert.Zero(t, f.drain(t))
}

func TestAnEndedContextEndsTheTries(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.faults.set("UPDATE", func(func() error) error {
		cancel()
		return errAgain
	})
	_, err := f.repository.Update(ctx, "one", appendX)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, errAgain)
	f.requireVersion(t, 1)
}

func TestOtherFailuresAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{"UPDATE", "INSERT", "COMMIT"} {
		t.Run(statement, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			f.faults.set(statement, times(1, errDisk))
			_, err := f.repository.Update(t.Context(), "one", appendX)
			require.ErrorIs(t, err, errDisk)
			require.NotErrorIs(t, err, cqrsfeed.ErrUnknownOutcome)
			f.requireVersion(t, 1)
			assert.Zero(t, f.drain(t))
		})
	}
}

// TestAChangesOwnErrorIsFinal although it looks like one of the database's.
func TestAChangesOwnErrorIsFinal(t *testing.T) {
	t.Parallel()
	f := open(t)
	calls := 0
	_, err := f.repository.Update(t.Context(), "one", func(*string) error {
		calls++
		return errAgain
	})
	require.ErrorIs(t, err, errAgain)
	assert.Equal(t, 1, calls)
}

func TestAConnectionLostAtCommitLeavesTheOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		commit  func(execute func() error) error
		version int64
	}{
		"before the database had it":   {func(func() error) error { return errLost }, 1},
		"before the answer could come": {func(execute func() error) error { return errors.Join(execute(), errLost) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			f.faults.set("COMMIT", c.commit)
			_, err := f.repository.Update(t.Context(), "one", appendX)
			require.ErrorIs(t, err, cqrsfeed.ErrUnknownOutcome)
			require.ErrorIs(t, err, errLost)
			select {
			case <-f.queue.Wake():
			default:
				assert.Fail(t, "there may be an event: the relay has to look")
			}
			f.faults.set("", func(execute func() error) error { return execute() })
			f.requireVersion(t, c.version)
			assert.Equal(t, int(c.version)-1, f.drain(t), "the event is there if and only if the change is")
		})
	}
}

// TestAConnectionThatCannotRollBackIsNotUsedAgain, since it may still be within the transaction.
func TestAConnectionThatCannotRollBackIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.db.SetMaxOpenConns(1)
	f.requireVersion(t, 1)
	before := f.faults.opened.Load()
	f.faults.set("ROLLBACK", times(1, errLost))
	_, err := f.repository.Update(t.Context(), "one", func(*string) error { return errDisk })
	require.ErrorIs(t, err, errDisk)
	_, err = f.repository.Update(t.Context(), "one", appendX)
	require.NoError(t, err)
	assert.Equal(t, before+1, f.faults.opened.Load())
}
