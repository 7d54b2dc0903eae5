package cqrsfeed_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
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
