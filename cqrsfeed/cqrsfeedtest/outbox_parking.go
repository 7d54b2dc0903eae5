package cqrsfeedtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// operations returns the operator's side of an outbox.
func operations(t *testing.T, queue outbox.Outbox) outbox.Operations {
	t.Helper()
	o, ok := queue.(outbox.Operations)
	require.True(t, ok, "%T does not implement outbox.Operations", queue)
	return o
}

// refuseAll is a broker that refuses everything.
func refuseAll(_ context.Context, batch []outbox.Message) []outbox.Result {
	results := make([]outbox.Result, len(batch))
	for i, m := range batch {
		results[i] = refused("no "+m.Message.UUID, 1)
	}
	return results
}

// park adds messages and parks them.
func (f OutboxFixture) park(t *testing.T, uuids ...string) {
	t.Helper()
	f.add(t, "x", uuids...)
	taken, err := f.Outbox.Drain(t.Context(), len(uuids), nil, refuseAll)
	require.NoError(t, err)
	require.Equal(t, len(uuids), taken)
}

// parked lists all parked messages.
func parked(t *testing.T, queue outbox.Outbox) []outbox.ParkedMessage {
	t.Helper()
	messages, err := operations(t, queue).Parked(t.Context(), "", cqrsfeed.MaxPageLimit)
	require.NoError(t, err)
	return messages
}

func parkedUUIDs(messages []outbox.ParkedMessage) []string {
	uuids := make([]string, len(messages))
	for i, m := range messages {
		uuids[i] = m.Message.UUID
	}
	return uuids
}

func idsOf(messages []outbox.ParkedMessage) []string {
	ids := make([]string, len(messages))
	for i, m := range messages {
		ids[i] = m.ID
	}
	return ids
}

func testOutboxParks(t *testing.T, f OutboxFixture) {
	f.add(t, "x", "1", "2", "3", "4", "5")
	before := time.Now()
	taken, err := f.Outbox.Drain(t.Context(), 10, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		require.Len(t, batch, 5)
		return []outbox.Result{published(), refused("too large", 1), kept(), refused("bad name", 60), published()}
	})
	require.NoError(t, err)
	assert.Equal(t, 5, taken)
	for _, queue := range []outbox.Outbox{f.Outbox, f.Other} {
		messages := parked(t, queue)
		require.Equal(t, []string{"2", "4"}, parkedUUIDs(messages))
		assert.Equal(t, "too large", messages[0].Reason)
		assert.Equal(t, 1, messages[0].Attempts)
		assert.Equal(t, "bad name", messages[1].Reason)
		assert.Equal(t, 60, messages[1].Attempts)
		for _, m := range messages {
			assert.Equal(t, "x", m.Topic)
			assert.WithinRange(t, m.ParkedAt, before.Add(-time.Millisecond), time.Now())
			assert.False(t, m.ParkedAt.Before(m.AddedAt))
		}
	}
	assert.Equal(t, []string{"3"}, uuidsOf(drainAll(t, f.Outbox)), "parked messages are not in the queue")
}

func testOutboxParksContextEnds(t *testing.T, f OutboxFixture) {
	f.add(t, "x", "1", "2")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := f.Outbox.Drain(ctx, 10, nil, func(context.Context, []outbox.Message) []outbox.Result {
		cancel()
		return []outbox.Result{refused("no", 1), published()}
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"1"}, parkedUUIDs(parked(t, f.Outbox)))
	assert.Empty(t, drainAll(t, f.Outbox))
}

func testOutboxUnpark(t *testing.T, f OutboxFixture) {
	f.park(t, "1", "2", "3")
	f.add(t, "x", "4")
	requireAwake(t, f.Outbox)
	before := parked(t, f.Outbox)
	ids := idsOf(before)
	returned, err := operations(t, f.Outbox).Unpark(t.Context(), ids[2], ids[0], ids[2])
	require.NoError(t, err)
	assert.Equal(t, 2, returned)
	requireAwake(t, f.Outbox)
	assert.Equal(t, []string{"2"}, parkedUUIDs(parked(t, f.Outbox)))
	waiting := peek(t, f.Outbox, 10)
	assert.Equal(t, []string{"1", "3", "4"}, uuidsOf(waiting), "they are in their old places")
	assert.Equal(t, before[0].AddedAt, waiting[0].AddedAt, "they are as old as they were")

	_, err = f.Outbox.Drain(t.Context(), 1, nil, refuseAll)
	require.NoError(t, err)
	again := parked(t, f.Outbox)
	assert.Equal(t, ids[:2], idsOf(again), "a message that is parked again is known by its ID")
	assert.Equal(t, []string{"3", "4"}, uuidsOf(drainAll(t, f.Outbox)))
}

func testOutboxDiscard(t *testing.T, f OutboxFixture) {
	f.park(t, "1", "2", "3")
	ids := idsOf(parked(t, f.Outbox))
	discarded, err := operations(t, f.Outbox).Discard(t.Context(), ids[0], ids[1], ids[0])
	require.NoError(t, err)
	assert.Equal(t, 2, discarded)
	assert.Equal(t, []string{"3"}, parkedUUIDs(parked(t, f.Outbox)))
	assert.Empty(t, drainAll(t, f.Outbox))
}

func testOutboxUnknownIDs(t *testing.T, f OutboxFixture) {
	f.park(t, "1")
	id := parked(t, f.Outbox)[0].ID
	f.add(t, "x", "2") // whatever its place in the queue is called, it is not parked
	requireAwake(t, f.Outbox)
	for name, call := range map[string]func(context.Context, ...string) (int, error){
		"Discard": operations(t, f.Outbox).Discard, "Unpark": operations(t, f.Outbox).Unpark,
	} {
		for _, bad := range []string{"", "no", "1 OR 1=1", id + "'"} {
			_, err := call(t.Context(), id, bad)
			require.ErrorIs(t, err, cqrsfeed.ErrInvalid, "%s of %q", name, bad)
		}
		none, err := call(t.Context())
		require.NoError(t, err)
		assert.Zero(t, none)
	}
	_, err := operations(t, f.Outbox).Parked(t.Context(), "no", 1)
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.Equal(t, []string{"1"}, parkedUUIDs(parked(t, f.Outbox)))

	for _, want := range []int{1, 0} {
		returned, err := operations(t, f.Outbox).Unpark(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, want, returned)
	}
	discarded, err := operations(t, f.Outbox).Discard(t.Context(), id)
	require.NoError(t, err)
	assert.Zero(t, discarded, "it is in the queue again")
	assert.Equal(t, []string{"1", "2"}, uuidsOf(drainAll(t, f.Outbox)))
}

// testOutboxParkingRace parks each message once, with relays of two processes, while two operators return the parked
// messages.
func testOutboxParkingRace(t *testing.T, f OutboxFixture) {
	const messages = 60
	ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
	defer cancel()
	uuids := make([]string, messages)
	for i := range uuids {
		uuids[i] = fmt.Sprintf("%03d", i)
	}
	f.add(t, "x", uuids...)
	var mu sync.Mutex
	seen, acknowledged := map[string]bool{}, map[string]int{}
	publish := func(_ context.Context, batch []outbox.Message) []outbox.Result {
		mu.Lock()
		defer mu.Unlock()
		results := make([]outbox.Result, len(batch))
		for i, m := range batch {
			if seen[m.Message.UUID] {
				acknowledged[m.Message.UUID]++
				results[i] = published()
				continue
			}
			seen[m.Message.UUID] = true
			results[i] = refused("not the first time", 1)
		}
		return results
	}
	done := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged) == messages
	}
	var running sync.WaitGroup
	for _, queue := range []outbox.Outbox{f.Outbox, f.Other, f.Outbox, f.Other} {
		operator := operations(t, queue)
		running.Go(func() {
			for !done() && assert.NoError(t, ctx.Err()) {
				_, drainErr := queue.Drain(ctx, 7, nil, publish)
				found, listErr := operator.Parked(ctx, "", 10)
				_, unparkErr := operator.Unpark(ctx, idsOf(found)...)
				assert.NoError(t, errors.Join(drainErr, listErr, unparkErr))
			}
		})
	}
	running.Wait()
	assert.ElementsMatch(t, uuids, slices.Collect(maps.Keys(acknowledged)))
	if f.LocksMessages {
		for uuid, times := range acknowledged {
			assert.Equal(t, 1, times, "message %s", uuid)
		}
	}
	assert.Empty(t, parked(t, f.Outbox))
	assert.Empty(t, drainAll(t, f.Outbox))
}
