package cqrsfeed_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/panics/panicstest"
)

var errOdd = errors.New("odd")

// upcastText is a text that was a list of one text.
type upcastText struct{ Text string }

func (upcastText) Upcast(body json.RawMessage) (json.RawMessage, error) {
	if body[0] != '[' {
		return body, nil
	}
	var list []string
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, errOdd
	}
	return json.Marshal(map[string]string{"Text": list[0]})
}

// upcastPointer has its method on the pointer.
type upcastPointer struct{ Text string }

func (*upcastPointer) Upcast(body json.RawMessage) (json.RawMessage, error) {
	return upcastText{}.Upcast(body)
}

func TestBodiesAreUpcastWhereverTheyAreDecoded(t *testing.T) {
	t.Parallel()
	msg, err := cqrsfeed.ItemCreated[[]string]{
		Item: cqrsfeed.Item[[]string]{ID: "x", Version: 1, Body: []string{"hello"}},
	}.Message()
	require.NoError(t, err)

	item, err := cqrsfeed.DecodeItem[upcastText](msg)
	require.NoError(t, err)
	assert.Equal(t, "hello", item.Body.Text)
	assert.Equal(t, `["hello"]`, string(item.Encoded), "as it was written")
	byPointer, err := cqrsfeed.DecodeItem[upcastPointer](msg)
	require.NoError(t, err)
	assert.Equal(t, "hello", byPointer.Body.Text)
	pointer, err := cqrsfeed.DecodeItem[*upcastPointer](msg)
	require.NoError(t, err)
	assert.Equal(t, "hello", pointer.Body.Text)
	var event cqrsfeed.ItemCreated[upcastText]
	require.NoError(t, json.Unmarshal(msg.Payload, &event))
	assert.Equal(t, item, event.Item)
}

func TestWhatCannotBeUpcastIsUndecodable(t *testing.T) {
	t.Parallel()
	item := cqrsfeed.Item[upcastText]{ID: "x", Version: 3, Body: upcastText{"before"}, Encoded: json.RawMessage(`["a","b"]`)}
	err := item.DecodeBody()
	require.ErrorIs(t, err, errOdd)
	require.EqualError(t, err, `decode body of item "x" version 3: upcast: odd`)
	undecodable, ok := errors.AsType[*cqrsfeed.UndecodableError](err)
	require.True(t, ok)
	assert.Equal(t, `["a","b"]`, string(undecodable.Item.Body))
	assert.Zero(t, item.Body)
}

// badText is a body whose decoding panics, or returns an error that does.
type badText struct{ Text string }

func (*badText) UnmarshalJSON(body []byte) error {
	if string(body) == `"panics"` {
		panic("a bug")
	}
	return panicstest.NilError()
}

// badUpcast is a body whose Upcast panics.
type badUpcast struct{}

func (badUpcast) Upcast(json.RawMessage) (json.RawMessage, error) { panic("a bug") }

// TestABodyWhoseDecodingPanicsIsUndecodable: stores decode on goroutines of their own.
func TestABodyWhoseDecodingPanicsIsUndecodable(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`"panics"`, `"fails"`} {
		item := cqrsfeed.Item[badText]{ID: "x", Version: 3, Body: badText{"before"}, Encoded: json.RawMessage(body)}
		err := item.DecodeBody()
		undecodable, ok := errors.AsType[*cqrsfeed.UndecodableError](err)
		require.True(t, ok)
		assert.Equal(t, body, string(undecodable.Item.Body))
		require.ErrorContains(t, err, `decode body of item "x" version 3: panic: `)
		assert.Zero(t, item.Body)
	}
	item := cqrsfeed.Item[badUpcast]{ID: "x", Version: 3, Encoded: json.RawMessage(`{}`)}
	require.EqualError(t, item.DecodeBody(), `decode body of item "x" version 3: panic: a bug`)
}

// TestClientsAreSentWhatTheReleaseKnows: an older release must not send a private field of a newer one.
func TestClientsAreSentWhatTheReleaseKnows(t *testing.T) {
	t.Parallel()
	var item cqrsfeed.Item[upcastText]
	require.NoError(t, json.Unmarshal([]byte(`{"id":"x","version":1,"body":{"Text":"hello","Password":"secret"}}`), &item))
	assert.Contains(t, string(item.Encoded), "secret")
	sent, err := json.Marshal(cqrsfeed.FeedPage[upcastText]{Items: []cqrsfeed.Item[upcastText]{item}})
	require.NoError(t, err)
	assert.Contains(t, string(sent), "hello")
	assert.NotContains(t, string(sent), "secret")
}
