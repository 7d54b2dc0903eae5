package repository_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqlstoretest"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

const patience = time.Minute

// queue is a repository whose first creation has begun and does not end before release is called. Others wait for it.
type queue struct {
	sqlstoretest.Fixture

	release func()
	waiting func() int
	sharing chan struct{} // closed when a shared transaction begins
	commits atomic.Int64

	running sync.WaitGroup
	mu      sync.Mutex
	errs    map[string]error
}

// openQueue returns a queue. After release, decide executes the statements, if it is not nil.
func openQueue(t *testing.T, turn time.Duration, decide func(statement string, execute func() error) error) *queue {
	t.Helper()
	q := &queue{Fixture: sqlstoretest.Open(t), sharing: make(chan struct{}), errs: map[string]error{}}
	q.waiting = q.Repository.Queue(turn, sync.OnceFunc(func() { close(q.sharing) }))
	begun, released := make(chan struct{}), make(chan struct{})
	q.release = sync.OnceFunc(func() { close(released) })
	var first sync.Once
	q.Faults.Decide(func(statement string, execute func() error) error {
		first.Do(func() {
			close(begun)
			<-released
		})
		if statement == "COMMIT" {
			q.commits.Add(1)
		}
		if decide != nil {
			return decide(statement, execute)
		}
		return execute()
	})
	q.create(t.Context(), "first")
	<-begun
	return q
}

// create creates an item in the background.
func (q *queue) create(ctx context.Context, id string) {
	q.running.Go(func() {
		_, err := q.Repository.Create(ctx, id, "body of "+id)
		q.mu.Lock()
		defer q.mu.Unlock()
		q.errs[id] = err
	})
}

func (q *queue) await(t *testing.T, waiting int) {
	t.Helper()
	require.Eventually(t, func() bool { return q.waiting() == waiting }, patience, time.Millisecond)
}

// events are the ids in the outbox.
func (q *queue) events(t *testing.T) (ids []string) {
	t.Helper()
	_, err := q.Outbox.Drain(t.Context(), 1000, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		for _, msg := range batch {
			ids = append(ids, idOf(t, msg.Message))
		}
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
	})
	require.NoError(t, err)
	return ids
}

func idOf(t *testing.T, msg *message.Message) string {
	t.Helper()
	item, err := cqrsfeed.DecodeItem[string](msg)
	require.NoError(t, err)
	return item.ID
}

// requireItems requires that these items exist besides the fixture's, each with its event.
func (q *queue) requireItems(t *testing.T, want ...string) {
	t.Helper()
	items, err := q.Repository.Scan(t.Context(), "", 1000)
	require.NoError(t, err)
	var ids []string
	for _, item := range items {
		if item.ID == "one" {
			continue
		}
		ids = append(ids, item.ID)
		assert.Equal(t, "body of "+item.ID, item.Body)
		assert.Equal(t, int64(1), item.Version)
	}
	assert.ElementsMatch(t, want, ids)
	assert.ElementsMatch(t, want, q.events(t))
}

func TestCreationsShareTransactions(t *testing.T) {
	t.Parallel()
	q := openQueue(t, time.Hour, nil)
	want := []string{"first"}
	for i := range 100 {
		want = append(want, fmt.Sprintf("item %02d", i))
	}
	q.together(t, want[1:]...)
	for id, err := range q.errs {
		require.NoError(t, err, id)
	}
	assert.Equal(t, int64(2), q.commits.Load(), "the first one's, and that of all others")
	<-q.Outbox.Wake()
	q.requireItems(t, want...)
}

// together creates items that wait for each other, and lets them go on.
func (q *queue) together(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		q.create(t.Context(), id)
	}
	q.await(t, len(ids))
	q.release()
	q.running.Wait()
}

// TestATakenIDFailsOnlyItsOwnCall: concurrent calls succeed. Of two calls with the same id, one fails.
func TestATakenIDFailsOnlyItsOwnCall(t *testing.T) {
	t.Parallel()
	q := openQueue(t, time.Hour, nil)
	for _, id := range []string{"one", "a", "b"} {
		q.create(t.Context(), id)
	}
	var again sync.WaitGroup
	var taken atomic.Int64
	for range 2 {
		again.Go(func() {
			if _, err := q.Repository.Create(t.Context(), "twin", "body of twin"); errors.Is(err, cqrsfeed.ErrExists) {
				taken.Add(1)
			}
		})
	}
	q.await(t, 5)
	q.release()
	q.running.Wait()
	again.Wait()
	require.ErrorIs(t, q.errs["one"], cqrsfeed.ErrExists)
	require.ErrorContains(t, q.errs["one"], `create item "one": `)
	require.NoError(t, errors.Join(q.errs["a"], q.errs["b"]))
	assert.Equal(t, int64(1), taken.Load())
	q.requireItems(t, "first", "a", "b", "twin")
}

// TestASharedTransactionThatFails: each entry is then tried alone.
func TestASharedTransactionThatFails(t *testing.T) {
	t.Parallel()
	for _, failing := range []string{"BEGIN", "INSERT INTO item", "INSERT INTO outbox", "COMMIT"} {
		t.Run(failing, func(t *testing.T) {
			t.Parallel()
			seen := 0
			q := openQueue(t, time.Hour, func(statement string, execute func() error) error {
				if strings.HasPrefix(statement, failing) {
					if seen++; seen == 2 { // the second transaction is the shared one
						return sqlstoretest.ErrDisk
					}
				}
				return execute()
			})
			q.together(t, "a", "b", "c")
			require.NoError(t, errors.Join(q.errs["a"], q.errs["b"], q.errs["c"]))
			q.requireItems(t, "first", "a", "b", "c")
		})
	}
}

// TestASharedTransactionIsTriedAgain after temporary failures.
func TestASharedTransactionIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, failing := range []string{"BEGIN", "INSERT INTO item", "INSERT INTO outbox", "COMMIT"} {
		t.Run(failing, func(t *testing.T) {
			t.Parallel()
			seen, committed := 0, 0
			q := openQueue(t, time.Hour, func(statement string, execute func() error) error {
				if strings.HasPrefix(statement, failing) {
					if seen++; seen == 2 || seen == 3 {
						return sqlstoretest.ErrAgain
					}
				}
				if statement == "COMMIT" {
					committed++
				}
				return execute()
			})
			q.together(t, "a", "b", "c")
			require.NoError(t, errors.Join(q.errs["a"], q.errs["b"], q.errs["c"]))
			assert.Equal(t, 2, committed, "the first one's, and that of all others")
			q.requireItems(t, "first", "a", "b", "c")
		})
	}
}

// TestASharedCommitWhoseOutcomeIsUnknown: the outcome is unknown for all entries, and none is tried again.
func TestASharedCommitWhoseOutcomeIsUnknown(t *testing.T) {
	t.Parallel()
	commits := 0
	q := openQueue(t, time.Hour, func(statement string, execute func() error) error {
		if statement == "COMMIT" {
			if commits++; commits == 2 {
				return errors.Join(execute(), sqlstoretest.ErrLost)
			}
		}
		return execute()
	})
	q.together(t, "a", "b")
	require.ErrorIs(t, q.errs["a"], cqrsfeed.ErrUnknownOutcome)
	require.ErrorIs(t, q.errs["b"], cqrsfeed.ErrUnknownOutcome)
	q.requireItems(t, "first", "a", "b")
}

// TestACreationCanBeGivenUpWhileItWaits for earlier ones, and for its shared transaction to begin while another
// transaction writes.
func TestACreationCanBeGivenUpWhileItWaits(t *testing.T) {
	t.Parallel()
	for name, turn := range map[string]time.Duration{"for others": time.Hour, "for the transaction": time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := openQueue(t, turn, nil)
			ctx, cancel := context.WithCancel(t.Context())
			q.create(ctx, "given up")
			q.create(t.Context(), "a")
			q.create(t.Context(), "b")
			q.await(t, 3)
			if turn == time.Second {
				<-q.sharing
			}
			cancel()
			q.await(t, 2)
			q.release()
			q.running.Wait()
			require.ErrorIs(t, q.errs["given up"], context.Canceled)
			require.NoError(t, errors.Join(q.errs["a"], q.errs["b"]))
			q.requireItems(t, "first", "a", "b")
		})
	}
}

// TestACreationUnderWayIsNotGivenUp, because a shared transaction cannot be cancelled for one caller.
func TestACreationUnderWayIsNotGivenUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	commits := 0
	q := openQueue(t, time.Hour, func(statement string, execute func() error) error {
		if statement == "COMMIT" {
			if commits++; commits == 2 {
				cancel()
			}
		}
		return execute()
	})
	q.create(ctx, "a")
	q.create(t.Context(), "b")
	q.await(t, 2)
	q.release()
	q.running.Wait()
	require.NoError(t, errors.Join(q.errs["a"], q.errs["b"]))
	q.requireItems(t, "first", "a", "b")
}

// TestACreationUnderWayDoesNotWaitForAConnection without limit before another try, because its caller can no longer
// give up.
func TestACreationUnderWayDoesNotWaitForAConnection(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	held := make(chan *sql.Conn, 1)
	inserts := 0
	var q *queue
	q = openQueue(t, time.Hour, func(statement string, execute func() error) error {
		if !strings.HasPrefix(statement, "INSERT INTO item") {
			return execute()
		}
		if inserts++; inserts != 2 {
			return execute()
		}
		q.DB.SetMaxOpenConns(1)
		go func() {
			conn, err := q.DB.Conn(t.Context())
			assert.NoError(t, err)
			held <- conn
		}()
		assert.Eventually(t, func() bool { return q.DB.Stats().WaitCount > 0 }, patience, time.Millisecond)
		cancel()
		return sqlstoretest.ErrAgain
	})
	q.create(ctx, "a")
	q.create(ctx, "b")
	q.await(t, 2)
	q.release()
	conn := <-held
	q.running.Wait()
	require.ErrorIs(t, q.errs["a"], context.Canceled)
	require.ErrorIs(t, q.errs["b"], context.Canceled)
	require.NoError(t, conn.Close())
	q.requireItems(t, "first")
}

// TestEachEventOfASharedTransactionHasItsOwnTrace, not that of the first caller.
func TestEachEventOfASharedTransactionHasItsOwnTrace(t *testing.T) {
	t.Parallel()
	q := openQueue(t, time.Hour, nil)
	want := map[string]string{}
	for i := range 3 {
		id := string(rune('a' + i))
		span := trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{byte(i + 1)}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled,
		})
		want[id] = span.TraceID().String()
		q.create(trace.ContextWithSpanContext(t.Context(), span), id)
	}
	q.await(t, 3)
	q.release()
	q.running.Wait()
	got := map[string]string{}
	_, err := q.Outbox.Drain(t.Context(), 100, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		for _, msg := range batch {
			if parts := strings.Split(msg.Message.Metadata["traceparent"], "-"); len(parts) == 4 {
				got[idOf(t, msg.Message)] = parts[1]
			}
		}
		return slices.Repeat([]outbox.Result{{Outcome: outbox.Published}}, len(batch))
	})
	require.NoError(t, err)
	assert.Equal(t, want, got)
}
