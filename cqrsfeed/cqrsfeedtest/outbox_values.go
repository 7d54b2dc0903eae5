package cqrsfeedtest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
