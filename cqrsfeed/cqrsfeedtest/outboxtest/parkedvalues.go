package outboxtest

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

func testParkedValues(t *testing.T, f Fixture) {
	const topic = "tøpic.😀/*#> "
	want := message.NewMessage("ünï😀 ' \\ \" ", bytes.Repeat([]byte("0123456789abcdef\x00\xff'\\\""), 45_000))
	want.Metadata = message.Metadata{"": "no key", "ключ": "😀", "html": "<&>", "lines": "a\r\nb\x00c", "none": ""}
	empty := message.NewMessage("", nil)
	f.publish(t, topic, want, empty)
	waiting := outboxes.Peek(t, f.Outbox, 2)
	outboxes.DrainTo(t, f.Outbox, 2, nil, outboxes.RefuseAll)
	messages := outboxes.Parked(t, f.Outbox)
	require.Len(t, messages, 2)
	_, err := f.Outbox.Unpark(t.Context(), idsOf(messages)...)
	require.NoError(t, err)
	back := outboxes.Drain(t, f.Outbox, 10)
	require.Len(t, back, 2)
	stored := back
	for _, m := range messages {
		stored = append(stored, outbox.Message{Topic: m.Topic, Message: m.Message, AddedAt: m.AddedAt})
	}
	for i, m := range stored {
		like := waiting[i%2]
		assert.Equal(t, topic, m.Topic)
		assert.Equal(t, like.AddedAt, m.AddedAt)
		assert.Equal(t, like.Message.UUID, m.Message.UUID)
		assert.Equal(t, like.Message.Metadata, m.Message.Metadata)
		assert.True(t, bytes.Equal(like.Message.Payload, m.Message.Payload), "the payload came back otherwise")
	}
}

func testParkedReasons(t *testing.T, f Fixture) {
	reasons := []string{
		"", "a 😀 in it", "nul \x00 and \xff no UTF-8", `'quoted' "twice" \ %s ?`, strings.Repeat("😀long ", 100_000),
	}
	f.add(t, "x", "0", "1", "2", "3", "4", "5")
	outboxes.DrainTo(t, f.Outbox, len(reasons)+1, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		results := make([]outbox.Result, len(batch))
		for i, reason := range reasons {
			results[i] = outboxes.Refused(reason, 0)
		}
		results[5] = outbox.Result{Outcome: outbox.Park}
		return results
	})
	messages := outboxes.Parked(t, f.Outbox)
	require.Len(t, messages, 6)
	for i, m := range messages {
		assert.True(t, utf8.ValidString(m.Reason))
		assert.LessOrEqual(t, len(m.Reason), 3000, "reasons are bounded")
		assert.Equal(t, 1, m.Attempts, "message %d was attempted at least once", i)
	}
	assert.Equal(t, reasons[1], messages[1].Reason)
	assert.Equal(t, reasons[3], messages[3].Reason)
	assert.True(t, strings.HasPrefix(messages[4].Reason, "😀long 😀long "))
}

func testParkedPages(t *testing.T, f Fixture) {
	f.park(t, "1", "2", "3", "4", "5")
	operator := f.Outbox
	for _, limit := range []int{0, 1, 2, 5, 10} {
		var seen []string
		after := ""
		for {
			page, err := operator.Parked(t.Context(), after, limit)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			if limit > 0 {
				require.LessOrEqual(t, len(page), limit)
			}
			seen = append(seen, parkedUUIDs(page)...)
			after = page[len(page)-1].ID
		}
		assert.Equal(t, []string{"1", "2", "3", "4", "5"}, seen, "in pages of %d", limit)
	}
}

func testParkedBytes(t *testing.T, f Fixture) {
	const size = limits.DefaultEventBytes * 9 / 10
	const most = (limits.MaxBatchBytes + size - 1) / size
	for i := range most + 1 {
		require.NoError(t, f.Transaction(t.Context(), func(publisher message.Publisher) error {
			return publisher.Publish("x", message.NewMessage(strconv.Itoa(i), make([]byte, size)))
		}))
		outboxes.DrainTo(t, f.Outbox, 1, nil, outboxes.RefuseAll)
	}
	operator := f.Outbox
	page, err := operator.Parked(t.Context(), "", 100)
	require.NoError(t, err)
	require.Len(t, page, most)
	rest, err := operator.Parked(t.Context(), page[most-1].ID, 100)
	require.NoError(t, err)
	require.Equal(t, []string{strconv.Itoa(most)}, parkedUUIDs(rest))
}
