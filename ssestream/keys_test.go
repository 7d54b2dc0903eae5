package ssestream_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/ssestream"
)

func TestKeysAreThoseThatStreamsFollow(t *testing.T) {
	t.Parallel()
	inBubble(t, ssestream.RouterConfig{}, func(b bubble) {
		assert.Empty(b, slices.Collect(b.router.Keys()))
		first, second, other := b.connect("key=a"), b.connect("key=a"), b.connect("key=b")
		nextScore(b, first)
		nextScore(b, second)
		nextScore(b, other)
		assert.ElementsMatch(b, []ssestream.KeyStats{
			{Topics: topic, Key: "a", Clients: 2}, {Topics: topic, Key: "b", Clients: 1},
		}, slices.Collect(b.router.Keys()))
		for range b.router.Keys() {
			break // a caller may have enough
		}
		assert.NoError(b, first.Close())
		assert.NoError(b, other.Close())
		settle(0)
		assert.Equal(b, []ssestream.KeyStats{{Topics: topic, Key: "a", Clients: 1}}, slices.Collect(b.router.Keys()))
	})
}
