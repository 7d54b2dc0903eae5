package cqrsfeedtest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

func testOutboxValues(t *testing.T, f OutboxFixture) {
	everyByte := make([]byte, 256)
	for i := range everyByte {
		everyByte[i] = byte(i)
	}
	want := []*message.Message{
		message.NewMessage("plain", []byte(`{"a":1}`)),
		message.NewMessage("bytes", everyByte),
		message.NewMessage("empty", nil),
		message.NewMessage("", []byte("no UUID")),
		message.NewMessage("ünï😀 ' \\ \" ", []byte("odd UUID")),
		message.NewMessage("metadata", []byte("x")),
	}
	want[5].Metadata = message.Metadata{"": "no key", "ключ": "😀", "html": "<&>", "lines": "a\r\nb\x00c", "none": ""}
	const topic = "tøpic.😀/*#> "
	require.NoError(t, f.Transaction(t.Context(), func(publisher message.Publisher) error {
		return publisher.Publish(topic, want...)
	}))
	got := drain(t, f.Outbox, 100)
	require.Len(t, got, len(want))
	for i, m := range got {
		assert.Equal(t, topic, m.Topic)
		assert.Equal(t, want[i].UUID, m.Message.UUID)
		assert.Equal(t, string(want[i].Payload), string(m.Message.Payload), "payload of %q", m.Message.UUID)
		assert.Equal(t, want[i].Metadata, m.Message.Metadata)
		m.Message.Metadata.Set("publishers", "may set metadata")
	}
}

func testOutboxHuge(t *testing.T, f OutboxFixture) {
	huge := bytes.Repeat([]byte("0123456789abcdef\x00\xff'\\\""), 200_000)
	require.NoError(t, f.Transaction(t.Context(), func(publisher message.Publisher) error {
		return publisher.Publish("x",
			message.NewMessage("1", huge), message.NewMessage("2", nil), message.NewMessage("3", huge))
	}))
	got := drain(t, f.Outbox, 100)
	require.Equal(t, []string{"1", "2", "3"}, uuidsOf(got))
	assert.True(t, bytes.Equal(huge, got[0].Message.Payload), "the payload came back otherwise")
	assert.True(t, bytes.Equal(huge, got[2].Message.Payload), "the payload came back otherwise")
}

func testOutboxMany(t *testing.T, f OutboxFixture) {
	uuids := make([]string, 3000)
	for i := range uuids {
		uuids[i] = fmt.Sprintf("%04d-%s", i, strings.Repeat("x", 30))
	}
	f.add(t, "x", uuids...)
	got := drain(t, f.Outbox, 2*len(uuids))
	assert.Equal(t, uuids, uuidsOf(got))
	assert.Empty(t, drain(t, f.Outbox, 1))
}

func testOutboxParkedValues(t *testing.T, f OutboxFixture) {
	const topic = "tøpic.😀/*#> "
	want := message.NewMessage("ünï😀 ' \\ \" ", bytes.Repeat([]byte("0123456789abcdef\x00\xff'\\\""), 100_000))
	want.Metadata = message.Metadata{"": "no key", "ключ": "😀", "html": "<&>", "lines": "a\r\nb\x00c", "none": ""}
	empty := message.NewMessage("", nil)
	require.NoError(t, f.Transaction(t.Context(), func(publisher message.Publisher) error {
		return publisher.Publish(topic, want, empty)
	}))
	waiting := peek(t, f.Outbox, 2)
	_, err := f.Outbox.Drain(t.Context(), 2, nil, refuseAll)
	require.NoError(t, err)
	messages := parked(t, f.Outbox)
	require.Len(t, messages, 2)
	_, err = operations(t, f.Outbox).Unpark(t.Context(), idsOf(messages)...)
	require.NoError(t, err)
	back := drain(t, f.Outbox, 10)
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

func testOutboxParkedReasons(t *testing.T, f OutboxFixture) {
	reasons := []string{
		"", "a 😀 in it", "nul \x00 and \xff no UTF-8", `'quoted' "twice" \ %s ?`, strings.Repeat("😀long ", 100_000),
	}
	f.add(t, "x", "0", "1", "2", "3", "4", "5")
	_, err := f.Outbox.Drain(t.Context(), len(reasons)+1, nil, func(_ context.Context, batch []outbox.Message) []outbox.Result {
		results := make([]outbox.Result, len(batch))
		for i, reason := range reasons {
			results[i] = refused(reason, 0)
		}
		results[5] = outbox.Result{Outcome: outbox.Park}
		return results
	})
	require.NoError(t, err)
	messages := parked(t, f.Outbox)
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

func testOutboxParkedPages(t *testing.T, f OutboxFixture) {
	f.park(t, "1", "2", "3", "4", "5")
	operator := operations(t, f.Outbox)
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

func testOutboxBacklog(t *testing.T, f OutboxFixture) {
	backlog := func() outbox.Backlog {
		found, err := operations(t, f.Other).Backlog(t.Context())
		require.NoError(t, err)
		return found
	}
	assert.Equal(t, outbox.Backlog{}, backlog())

	before := time.Now()
	f.add(t, "x", "1", "2", "3")
	first := backlog()
	assert.Equal(t, int64(3), first.Waiting)
	assert.WithinRange(t, first.Oldest, before.Add(-time.Millisecond), time.Now())
	assert.Equal(t, peek(t, f.Outbox, 1)[0].AddedAt, first.Oldest)

	_, err := f.Outbox.Drain(t.Context(), 2, nil, func(context.Context, []outbox.Message) []outbox.Result {
		assert.Equal(t, first, backlog(), "messages that are being published still wait, and Backlog does not block")
		return []outbox.Result{kept(), refused("no", 1)}
	})
	require.NoError(t, err)
	assert.Equal(t, outbox.Backlog{Waiting: 2, Oldest: first.Oldest, Parked: 1}, backlog())
	drainAll(t, f.Outbox)
	assert.Equal(t, outbox.Backlog{Parked: 1}, backlog())
}
