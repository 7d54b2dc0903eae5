package natspubsub_test

import (
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/natspubsub"
	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestMarshalTellsTheBroker(t *testing.T) {
	t.Parallel()
	out, err := natspubsub.Marshal("stream", "p.topic", message.NewMessage("uuid", []byte("x")))
	require.NoError(t, err)
	assert.Equal(t, "p.topic", out.Subject)
	assert.Equal(t, "uuid@p.topic", out.Header.Get(jetstream.MsgIDHeader))
	assert.Equal(t, "stream", out.Header.Get(jetstream.ExpectedStreamHeader))

	out, err = natspubsub.Marshal("stream", "p.topic", message.NewMessage("", nil))
	require.NoError(t, err)
	assert.NotContains(t, out.Header, jetstream.MsgIDHeader, "messages without UUID are not duplicates of each other")
}

func TestUnmarshalRefusesABrokenEncoding(t *testing.T) {
	t.Parallel()
	in := nats.NewMsg("p.topic")
	in.Header.Set("Feedmill-Metadata", "%zz")
	_, err := natspubsub.Unmarshal(received{msg: in}, &jetstream.MsgMetadata{})
	require.ErrorContains(t, err, "Feedmill-Metadata")
}

// received is a message that came from the broker.
type received struct {
	jetstream.Msg

	msg *nats.Msg
}

func (r received) Subject() string      { return r.msg.Subject }
func (r received) Headers() nats.Header { return r.msg.Header }
func (r received) Data() []byte         { return r.msg.Data }

// brokerHeaders are headers that the broker or the client library uses.
var brokerHeaders = []string{ //nolint:gochecknoglobals // constant
	"Nats-TTL", "nats-ttl", "NATS-TTL", "Nats-Msg-Id", "Nats-Rollup", "Nats-Incr", "Nats-Schedule", "Nats-Marker-Reason",
	"Nats-Expected-Stream", "Nats-Expected-Last-Sequence", "Nats-Expected-Last-Subject-Sequence", "Nats-Expected-Last-Msg-Id",
	"Nats-Batch-Id", "Nats-Required-Api-Level", "Nats-Something-New", "Status", "status", "Description", "feedmill-metadata",
}

// A message arrives as it was published, or is refused.
func FuzzWire(f *testing.F) {
	f.Add("uuid", []byte("payload"), "key", "value")
	f.Add("uuid", []byte{}, "Status", "100")
	f.Add("", []byte("x"), "", "")
	f.Add("u\n", []byte(nil), "a:b", "c\r\nd: e")
	f.Add("u", []byte("x"), "Feedmill-Metadata", " x ")
	f.Add("u", []byte("x"), "_watermill_message_uuid", "other")
	f.Add("u", []byte("x"), "Nats-Msg-Id", "\x00\xff\u00a0")
	for _, name := range brokerHeaders {
		f.Add("u", []byte("x"), name, "1")
	}
	f.Fuzz(func(t *testing.T, uuid string, payload []byte, key, value string) {
		sent := message.NewMessage(uuid, payload)
		sent.Metadata.Set(key, value)
		sent.Metadata.Set("always", "there")
		out, err := natspubsub.Marshal("stream", "p.topic", sent)
		if err != nil {
			require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
			return
		}
		header, err := nats.DecodeHeadersMsg([]byte(encoded(out.Header)))
		require.NoError(t, err)
		in := &nats.Msg{Subject: out.Subject, Header: header, Data: out.Data}
		for name := range header {
			assert.True(t, !strings.HasPrefix(strings.ToLower(name), "nats-") || name == jetstream.MsgIDHeader || name == jetstream.ExpectedStreamHeader,
				"%s would be an instruction to the broker", name)
		}
		assert.False(t, len(in.Data) == 0 && in.Header.Get("Status") != "", "it would be taken for the broker's")
		got, err := natspubsub.Unmarshal(received{msg: in}, &jetstream.MsgMetadata{Stream: "stream", Sequence: jetstream.SequencePair{Stream: 7}})
		require.NoError(t, err)
		if uuid == "" {
			sent.UUID = "stream:7"
		}
		assert.True(t, sent.Equals(got), "sent %+v, got %+v", sent, got)
	})
}

// encoded encodes headers like the client library.
func encoded(header nats.Header) string {
	var b strings.Builder
	b.WriteString("NATS/1.0\r\n")
	for key, values := range header {
		for _, value := range values {
			b.WriteString(key + ": " + strings.NewReplacer("\r", " ", "\n", " ").Replace(strings.Trim(value, " \t\r\n")) + "\r\n")
		}
	}
	return b.String() + "\r\n"
}
