package ssestream_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/ssestream"
)

// TestAHandlerFollowsSeveralTopics and receives each message once, also of a topic that it names twice.
func TestAHandlerFollowsSeveralTopics(t *testing.T) {
	t.Parallel()

	board, source := newBoard(), newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
	topics := []string{topic, "score-deleted", topic}
	stream := func() site {
		site := serve(t, router.AddTopicsHandler(topics, board.adapter(t)))
		run(t, router)

		return site
	}().connect(t, "key=a")
	assert.Equal(t, 0, nextScore(t, stream).N)
	assert.Equal(t, 2, source.count(), "one subscription a topic")

	for i, from := range topics[:2] {
		before := board.loaded("a")
		board.set("a", i+1)
		source.send(t, from, []byte(`{"Keys":["a"]}`))
		assert.Equal(t, i+1, nextScore(t, stream).N, from)
		assert.Equal(t, before+1, board.loaded("a"), from)
	}
}
