package outboxtest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// park adds messages and parks them.
func (f Fixture) park(t *testing.T, uuids ...string) {
	t.Helper()
	f.add(t, "x", uuids...)
	taken := outboxes.DrainTo(t, f.Outbox, len(uuids), nil, outboxes.RefuseAll)
	require.Equal(t, len(uuids), taken)
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

func testParks(t *testing.T, f Fixture) {
	f.add(t, "x", "1", "2", "3", "4", "5")
	before := time.Now()
	var results []outbox.Result
	taken := outboxes.DrainTo(t, f.Outbox, 10, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		require.Len(t, batch, 5)
		results = []outbox.Result{outboxes.Published(), outboxes.Refused("too large", 1), outboxes.Kept(), outboxes.Refused("bad name", 60), outboxes.Published()}
		return results
	})
	assert.Equal(t, 5, taken)
	for _, queue := range []outbox.Outbox{f.Outbox, f.Other} {
		messages := outboxes.Parked(t, queue)
		require.Equal(t, []string{"2", "4"}, parkedUUIDs(messages))
		assert.Equal(t, []string{results[1].ParkedID, results[3].ParkedID}, idsOf(messages))
		assert.Empty(t, results[0].ParkedID+results[2].ParkedID+results[4].ParkedID)
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
	assert.Equal(t, []string{"3"}, outboxes.UUIDs(outboxes.DrainAll(t, f.Outbox)), "parked messages are not in the queue")
}

func testParksContextEnds(t *testing.T, f Fixture) {
	f.add(t, "x", "1", "2")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := f.Outbox.Drain(ctx, 10, nil, func(context.Context, []outbox.Message) []outbox.Result {
		cancel()
		return []outbox.Result{outboxes.Refused("no", 1), outboxes.Published()}
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"1"}, parkedUUIDs(outboxes.Parked(t, f.Outbox)))
	assert.Empty(t, outboxes.DrainAll(t, f.Outbox))
}

func testUnpark(t *testing.T, f Fixture) {
	f.park(t, "1", "2", "3")
	f.add(t, "x", "4")
	outboxes.RequireAwake(t, f.Outbox)
	before := outboxes.Parked(t, f.Outbox)
	ids := idsOf(before)
	returned, err := f.Outbox.Unpark(t.Context(), ids[2], ids[0], ids[2])
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{ids[0], ids[2]}, returned)
	outboxes.RequireAwake(t, f.Outbox)
	assert.Equal(t, []string{"2"}, parkedUUIDs(outboxes.Parked(t, f.Outbox)))
	waiting := outboxes.Peek(t, f.Outbox, 10)
	assert.Equal(t, []string{"1", "3", "4"}, outboxes.UUIDs(waiting), "they are in their old places")
	assert.Equal(t, before[0].AddedAt, waiting[0].AddedAt, "they are as old as they were")

	outboxes.DrainTo(t, f.Outbox, 1, nil, outboxes.RefuseAll)
	again := outboxes.Parked(t, f.Outbox)
	assert.Equal(t, []string{"2", "1"}, parkedUUIDs(again), "parked messages are in the order of parking")
	returned, err = f.Outbox.Unpark(t.Context(), ids...)
	require.NoError(t, err)
	assert.Equal(t, ids[1:2], returned, "a message that is parked again has another ID")
	assert.Equal(t, []string{"2", "3", "4"}, outboxes.UUIDs(outboxes.DrainAll(t, f.Outbox)))
}

// testRestart lets the ids of the queue start again while messages are parked.
func testRestart(t *testing.T, f Fixture) {
	f.park(t, "1", "2")
	f.passOver(t.Context(), t)
	f.Restart(t)
	f.add(t, "x", "3", "4", "5")
	var got []string
	for deadline := time.Now().Add(outboxes.Patience); len(got) == 0 && time.Now().Before(deadline); {
		outboxes.DrainTo(t, f.Outbox, 2, nil, func(ctx context.Context, batch []outbox.Message) []outbox.Result {
			got = outboxes.UUIDs(batch)
			return outboxes.RefuseAll(ctx, batch)
		})
	}
	assert.Equal(t, []string{"3", "4"}, got)
	messages := outboxes.Parked(t, f.Outbox)
	require.Equal(t, []string{"1", "2", "3", "4"}, parkedUUIDs(messages))
	returned, err := f.Outbox.Unpark(t.Context(), idsOf(messages)...)
	require.NoError(t, err)
	assert.ElementsMatch(t, idsOf(messages), returned)
	f.add(t, "x", "6")
	assert.ElementsMatch(t, []string{"1", "2", "3", "4", "5", "6"}, outboxes.UUIDs(outboxes.DrainAll(t, f.Outbox)))
	assert.Empty(t, outboxes.Parked(t, f.Outbox))
}

func testDiscard(t *testing.T, f Fixture) {
	f.park(t, "1", "2", "3")
	ids := idsOf(outboxes.Parked(t, f.Outbox))
	discarded, err := f.Outbox.Discard(t.Context(), ids[0], ids[1], ids[0])
	require.NoError(t, err)
	assert.ElementsMatch(t, ids[:2], discarded)
	assert.Equal(t, []string{"3"}, parkedUUIDs(outboxes.Parked(t, f.Outbox)))
	assert.Empty(t, outboxes.DrainAll(t, f.Outbox))
}

func testUnknownIDs(t *testing.T, f Fixture) {
	f.park(t, "1")
	id := outboxes.Parked(t, f.Outbox)[0].ID
	f.add(t, "x", "2") // whatever its place in the queue is called, it is not parked
	outboxes.RequireAwake(t, f.Outbox)
	for name, call := range map[string]func(context.Context, ...string) ([]string, error){
		"Discard": f.Outbox.Discard, "Unpark": f.Outbox.Unpark,
	} {
		for _, bad := range []string{"", "no", "1 OR 1=1", id + "'"} {
			_, err := call(t.Context(), id, bad)
			require.ErrorIs(t, err, cqrsfeed.ErrInvalid, "%s of %q", name, bad)
		}
		none, err := call(t.Context())
		require.NoError(t, err)
		assert.Empty(t, none)
	}
	_, err := f.Outbox.Parked(t.Context(), "no", 1)
	require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
	require.Equal(t, []string{"1"}, parkedUUIDs(outboxes.Parked(t, f.Outbox)))

	for _, want := range [][]string{{id}, nil} {
		returned, err := f.Outbox.Unpark(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, want, returned)
	}
	discarded, err := f.Outbox.Discard(t.Context(), id)
	require.NoError(t, err)
	assert.Empty(t, discarded, "it is in the queue again")
	assert.Equal(t, []string{"1", "2"}, outboxes.UUIDs(outboxes.DrainAll(t, f.Outbox)))
}
