package outboxtest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

func testValues(t *testing.T, f Fixture) {
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
	f.publish(t, topic, want...)
	got := outboxes.Drain(t, f.Outbox, 100)
	require.Len(t, got, len(want))
	for i, m := range got {
		assert.Equal(t, topic, m.Topic)
		assert.Equal(t, want[i].UUID, m.Message.UUID)
		assert.Equal(t, string(want[i].Payload), string(m.Message.Payload), "payload of %q", m.Message.UUID)
		assert.Equal(t, want[i].Metadata, m.Message.Metadata)
		m.Message.Metadata.Set("publishers", "may set metadata")
	}
}

func testHuge(t *testing.T, f Fixture) {
	huge := bytes.Repeat([]byte("0123456789abcdef\x00\xff'\\\""), 45_000)
	require.NoError(t, f.Transaction(t.Context(), func(publisher message.Publisher) error {
		return publisher.Publish("x",
			message.NewMessage("1", huge), message.NewMessage("2", nil), message.NewMessage("3", huge))
	}))
	got := outboxes.Drain(t, f.Outbox, 100)
	require.Equal(t, []string{"1", "2", "3"}, outboxes.UUIDs(got))
	assert.True(t, bytes.Equal(huge, got[0].Message.Payload), "the payload came back otherwise")
	assert.True(t, bytes.Equal(huge, got[2].Message.Payload), "the payload came back otherwise")
}

func testTooLarge(t *testing.T, f Fixture) {
	told := message.NewMessage("3", nil)
	told.Metadata.Set("key", strings.Repeat("x", limits.MaxMetadataBytes))
	for _, large := range []*message.Message{message.NewMessage("2", make([]byte, limits.DefaultEventBytes)), told} {
		err := f.Transaction(t.Context(), func(publisher message.Publisher) error {
			return publisher.Publish("x", message.NewMessage("1", nil), large)
		})
		require.ErrorIs(t, err, cqrsfeed.ErrTooLarge)
	}
	require.Empty(t, outboxes.Drain(t, f.Outbox, 10))
}

// testBytes drains more large messages than fit into one batch.
func testBytes(t *testing.T, f Fixture) {
	const size = limits.DefaultEventBytes * 9 / 10
	const most = (limits.MaxBatchBytes + size - 1) / size
	var uuids []string
	for i := range 3 * most {
		uuid := strconv.Itoa(i)
		f.publish(t, "x", message.NewMessage(uuid, make([]byte, size)))
		uuids = append(uuids, uuid)
	}
	f.add(t, "y", "other")
	var drained []string
	for n, except := range [][]string{nil, {"y"}, nil} {
		taken := outboxes.DrainTo(t, f.Outbox, 100, except, func(_ context.Context, batch []outbox.Message) []outbox.Result {
			drained = append(drained, outboxes.UUIDs(batch)...)
			return slices.Repeat([]outbox.Result{outboxes.Published()}, len(batch))
		})
		require.Equal(t, most, taken, "drain %d", n)
	}
	require.Equal(t, uuids, drained)
	require.Equal(t, []string{"other"}, outboxes.UUIDs(outboxes.Drain(t, f.Outbox, 10)))
}

func testMany(t *testing.T, f Fixture) {
	uuids := make([]string, 3000)
	for i := range uuids {
		uuids[i] = fmt.Sprintf("%04d-%s", i, strings.Repeat("x", 30))
	}
	f.add(t, "x", uuids...)
	got := outboxes.Drain(t, f.Outbox, 2*len(uuids))
	assert.Equal(t, uuids, outboxes.UUIDs(got))
	assert.Empty(t, outboxes.Drain(t, f.Outbox, 1))
}
