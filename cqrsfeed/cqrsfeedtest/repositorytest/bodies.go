package repositorytest

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/outboxes"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// mustCreateRaw creates an item by the release with another type of body.
func (f Fixture) mustCreateRaw(t *testing.T, id, body string) cqrsfeed.Item[json.RawMessage] {
	t.Helper()
	item, err := f.Raw.Create(t.Context(), id, json.RawMessage(body))
	require.NoError(t, err)
	require.Equal(t, body, string(item.Encoded), "the test's body is as it is encoded")
	return item
}

// assertEncoded compares a body byte for byte.
func assertEncoded(t *testing.T, want string, got json.RawMessage) {
	t.Helper()
	assert.Equal(t, want, string(got))
}

// later is a body of a later release. Score is one of Body.
const later = `{"later":{"n":9007199254740993,"x":[1.50,{}]},"text":"a","Score":1.0,"tags":["b"],"":null}`

func testUpdateKeeps(t *testing.T, f Fixture) {
	f.mustCreateRaw(t, "one", later)
	updated := f.mustUpdate(t, "one", setText("new"))
	const want = `{"later":{"n":9007199254740993,"x":[1.50,{}]},"text":"new","Score":1.0,"tags":["b"],"":null}`
	assertEncoded(t, want, updated.Encoded)
	stored, err := f.Raw.Get(t.Context(), "one")
	require.NoError(t, err)
	assertEncoded(t, want, stored.Encoded)
	read := f.mustGet(t, "one")
	assert.Equal(t, updated, read)
	assert.Equal(t, model.Body{Text: "new", Tags: []string{"b"}, Score: 1}, read.Body)

	same := f.mustUpdate(t, "one", func(*model.Body) error { return nil })
	assertEncoded(t, want, same.Encoded)
	changed, err := f.Repository.Update(t.Context(), "one", func(body *model.Body) error {
		body.Score, body.Tags = 0, append(body.Tags, "c")
		return nil
	})
	require.NoError(t, err)
	assertEncoded(t, `{"later":{"n":9007199254740993,"x":[1.50,{}]},"text":"new","tags":["b","c"],"":null}`, changed.Encoded)
}

func testEventsKeep(t *testing.T, f Fixture) {
	created := f.mustCreateRaw(t, "one", later)
	updated := f.mustUpdate(t, "one", setText("new"))
	deleted := f.mustDelete(t, "one")
	events := outboxes.DrainAll(t, f.Outbox)
	require.Len(t, events, 3)
	assert.Equal(t, string(created.Encoded), string(decodeUpdated(t, events[1]).Original.Encoded))
	for i, want := range []json.RawMessage{created.Encoded, updated.Encoded, deleted.Encoded} {
		item, err := cqrsfeed.DecodeItem[model.Body](events[i].Message)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(item.Encoded))
	}
}

// testUndecodable has items of a release whose text is a number.
func testUndecodable(t *testing.T, f Fixture) {
	for _, id := range []string{"a", "c", "d"} {
		f.mustCreateRaw(t, id, `{"text":5}`)
	}
	other := f.mustCreate(t, "b")
	outboxes.DrainAll(t, f.Outbox)

	_, err := f.Repository.Get(t.Context(), "a")
	requireUndecodable(t, err, "a")
	_, err = f.Repository.Update(t.Context(), "a", func(*model.Body) error {
		t.Error("change was called without a body")
		return nil
	})
	requireUndecodable(t, err, "a")
	require.Empty(t, outboxes.DrainAll(t, f.Outbox))
	items, err := f.Repository.Scan(t.Context(), "", 3)
	requireUndecodable(t, err, "a", "c")
	assert.Equal(t, []cqrsfeed.Item[model.Body]{other}, items)

	deleted := f.mustDelete(t, "a", cqrsfeed.IfVersion(1))
	assert.True(t, deleted.Deleted)
	assertEncoded(t, `{"text":5}`, deleted.Encoded)
	events := outboxes.DrainAll(t, f.Outbox)
	require.Len(t, events, 1)
	told, err := cqrsfeed.DecodeItem[model.Body](events[0].Message)
	require.NoError(t, err, "a tombstone needs no body")
	assert.Equal(t, deleted, told)
	items, err = f.Repository.Scan(t.Context(), "", 2)
	require.NoError(t, err)
	assert.Equal(t, []cqrsfeed.Item[model.Body]{deleted, other}, items)
}

func requireUndecodable(t *testing.T, err error, ids ...string) {
	t.Helper()
	undecodable := driver.Undecodable(err)
	require.Len(t, undecodable, len(ids), "%v", err)
	for i, id := range ids {
		require.Equal(t, id, undecodable[i].Item.ID)
		require.Equal(t, int64(1), undecodable[i].Item.Version)
		require.JSONEq(t, `{"text":5}`, string(undecodable[i].Item.Body))
		wrongType, ok := errors.AsType[*json.UnmarshalTypeError](undecodable[i])
		require.True(t, ok, "%v", undecodable[i])
		require.Equal(t, "text", wrongType.Field)
	}
}
