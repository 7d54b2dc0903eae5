package sqldb_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqlstoretest"
	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestFailuresThatPassAreTriedAgain(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{"BEGIN", "SELECT", "UPDATE", "INSERT", "COMMIT"} {
		for _, failure := range []error{sqlstoretest.ErrAgain, sqlstoretest.ErrLost} {
			if statement == "COMMIT" && errors.Is(failure, sqlstoretest.ErrLost) {
				continue
			}
			t.Run(statement+" "+failure.Error(), func(t *testing.T) {
				t.Parallel()
				f := sqlstoretest.Open(t)
				f.Faults.Set(statement, sqlstoretest.Times(3, failure))
				calls := 0
				item, err := f.Repository.Update(t.Context(), "one", func(body *string) error {
					calls++
					return sqlstoretest.AppendX(body)
				})
				require.NoError(t, err)
				assert.Equal(t, int64(2), item.Version)
				assert.Equal(t, "firstx", item.Body, "each try has a body of its own")
				assert.Equal(t, 1, f.Drain(t))
				f.RequireVersion(t, 2)
				if statement != "BEGIN" && statement != "SELECT" {
					assert.Equal(t, 4, calls)
				}
			})
		}
	}
}

func TestTriesAreBounded(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	tries := 0
	f.Faults.Set("UPDATE", func(func() error) error {
		tries++
		return sqlstoretest.ErrAgain
	})
	_, err := f.Repository.Update(t.Context(), "one", sqlstoretest.AppendX)
	require.ErrorIs(t, err, sqlstoretest.ErrAgain)
	require.ErrorContains(t, err, `update item "one": gave up after 10 tries: update row: deadlock`)
	assert.Equal(t, 10, tries)
	f.RequireVersion(t, 1)
	assert.Zero(t, f.Drain(t))
}

func TestAnEndedContextEndsTheTries(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.Faults.Set("UPDATE", func(func() error) error {
		cancel()
		return sqlstoretest.ErrAgain
	})
	_, err := f.Repository.Update(ctx, "one", sqlstoretest.AppendX)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, sqlstoretest.ErrAgain)
	f.RequireVersion(t, 1)
}

func TestOtherFailuresAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{"UPDATE", "INSERT", "COMMIT"} {
		t.Run(statement, func(t *testing.T) {
			t.Parallel()
			f := sqlstoretest.Open(t)
			f.Faults.Set(statement, sqlstoretest.Times(1, sqlstoretest.ErrDisk))
			_, err := f.Repository.Update(t.Context(), "one", sqlstoretest.AppendX)
			require.ErrorIs(t, err, sqlstoretest.ErrDisk)
			require.NotErrorIs(t, err, cqrsfeed.ErrUnknownOutcome)
			f.RequireVersion(t, 1)
			assert.Zero(t, f.Drain(t))
		})
	}
}

// TestAChangesOwnErrorIsFinal, even if the dialect takes it for a temporary one.
func TestAChangesOwnErrorIsFinal(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	calls := 0
	_, err := f.Repository.Update(t.Context(), "one", func(*string) error {
		calls++
		return sqlstoretest.ErrAgain
	})
	require.ErrorIs(t, err, sqlstoretest.ErrAgain)
	assert.Equal(t, 1, calls)
}

func TestAConnectionLostAtCommitLeavesTheOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		commit  func(execute func() error) error
		version int64
	}{
		"before the database had it":   {func(func() error) error { return sqlstoretest.ErrLost }, 1},
		"before the answer could come": {func(execute func() error) error { return errors.Join(execute(), sqlstoretest.ErrLost) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := sqlstoretest.Open(t)
			f.Faults.Set("COMMIT", c.commit)
			_, err := f.Repository.Update(t.Context(), "one", sqlstoretest.AppendX)
			require.ErrorIs(t, err, cqrsfeed.ErrUnknownOutcome)
			require.ErrorIs(t, err, sqlstoretest.ErrLost)
			select {
			case <-f.Outbox.Wake():
			default:
				assert.Fail(t, "there may be an event: the relay has to look")
			}
			f.Faults.Set("", func(execute func() error) error { return execute() })
			f.RequireVersion(t, c.version)
			assert.Equal(t, int(c.version)-1, f.Drain(t), "the event is there if and only if the change is")
		})
	}
}

// TestAConnectionThatCannotRollBackIsNotUsedAgain, because it may still be inside the transaction.
func TestAConnectionThatCannotRollBackIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	f := sqlstoretest.Open(t)
	f.DB.SetMaxOpenConns(1)
	f.RequireVersion(t, 1)
	before := f.Faults.Opened.Load()
	f.Faults.Set("ROLLBACK", sqlstoretest.Times(1, sqlstoretest.ErrLost))
	_, err := f.Repository.Update(t.Context(), "one", func(*string) error { return sqlstoretest.ErrDisk })
	require.ErrorIs(t, err, sqlstoretest.ErrDisk)
	_, err = f.Repository.Update(t.Context(), "one", sqlstoretest.AppendX)
	require.NoError(t, err)
	assert.Equal(t, before+1, f.Faults.Opened.Load())
}
