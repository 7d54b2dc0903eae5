package ssestream_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/internal/reload"
	"github.com/feedmill/feedmill/ssestream"
)

// changedMessage returns a message that announces the keys.
func changedMessage(tb testing.TB, keys ...string) *message.Message {
	tb.Helper()
	payload, err := json.Marshal(changed{Keys: keys})
	require.NoError(tb, err)

	return message.NewMessage(watermill.NewUUID(), payload)
}

// TestPublishTellsTheHandlers of a router that has no subscriber, also of one that is added while it runs.
func TestPublishTellsTheHandlers(t *testing.T) {
	t.Parallel()
	board := newBoard()
	router := newRouter(t, ssestream.RouterConfig{})
	before := serve(t, router.AddHandler(topic, board.adapter(t)))
	run(t, router)
	after := serve(t, router.AddHandler("another topic", board.adapter(t)))

	for name, site := range map[string]site{topic: before, "another topic": after} {
		board.set("a", 0)
		stream := site.connect(t, "key=a")
		assert.Equal(t, 0, nextScore(t, stream).N)
		board.set("a", 1)
		msg := changedMessage(t, "a")
		require.NoError(t, router.Publish(name, changedMessage(t, "b"), msg))
		assert.Equal(t, 1, nextScore(t, stream).N)
		select {
		case <-msg.Acked():
			t.Error("the message is the publisher's to acknowledge")
		default:
		}
	}
}

// TestPublishKeepsTheOrder for the clients of an adapter that is written for the stock router, whatever the publisher
// does with its messages afterwards.
func TestPublishKeepsTheOrder(t *testing.T) {
	t.Parallel()
	router := newRouter(t, ssestream.RouterConfig{QueueSize: 3000})
	site := serve(t, router.AddHandler(topic, funcAdapter{
		initial: always("hello"),
		next: func(_ *http.Request, msg *message.Message) (any, bool) {
			return msg.Metadata.Get("n"), true
		},
	}))
	run(t, router)
	stream := site.connect(t, "")
	next(t, stream)
	for n := 0; n < 2000; n += 2 {
		one, two := message.NewMessage("", nil), message.NewMessage("", nil)
		one.Metadata.Set("n", strconv.Itoa(n))
		two.Metadata.Set("n", strconv.Itoa(n+1))
		require.NoError(t, router.Publish(topic, one, two))
		one.Metadata.Set("n", "changed")
	}
	for n := range 2000 {
		require.JSONEq(t, `"`+strconv.Itoa(n)+`"`, next(t, stream).Data)
	}
}

// TestAReloadIsForEveryAdapter: the clients of one that is written for the stock router, which does not know the mark, reconnect.
func TestAReloadIsForEveryAdapter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		board := newBoard()
		router := newRouter(t, ssestream.RouterConfig{})
		ours, theirs := servePipes(t, router.AddHandler(topic, board.adapter(t))), servePipes(t, router.AddHandler(topic, storyAdapter{board}))
		run(t, router)
		shared, alone := ours.connect(t, "key=a"), theirs.connect(t, "key=a")
		nextScore(t, shared)
		nextScore(t, alone)
		board.set("a", 1)
		msg := message.NewMessage("", nil)
		reload.Mark(msg)
		require.NoError(t, router.Publish(topic, msg))
		assert.Equal(t, 1, nextScore(t, shared).N)
		ended(t, alone)
		assert.Equal(t, 1, nextScore(t, theirs.connect(t, "key=a")).N)
	})
}

// TestPublishWaitsForNobody neither for a load that hangs nor for a client.
func TestPublishWaitsForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		board, gate := newBoard(), make(chan struct{})
		router := newRouter(t, ssestream.RouterConfig{QueueSize: 1})
		rooms := servePipes(t, router.AddHandler(topic, board.adapter(t)))
		plain := servePipes(t, router.AddHandler(topic, funcAdapter{
			initial: always("hello"),
			next: func(_ *http.Request, msg *message.Message) (any, bool) {
				<-gate

				return payload(nil, msg)
			},
		}))
		run(t, router)
		shared, alone := rooms.connect(t, "key=a"), plain.connect(t, "")
		nextScore(t, shared)
		next(t, alone)
		board.before(func(context.Context, string) error {
			<-gate

			return nil
		})
		board.set("a", 1)
		for range 100 {
			require.NoError(t, router.Publish(topic, changedMessage(t, "a")))
		}
		close(gate)
		assert.Equal(t, 1, nextScore(t, shared).N)
	})
}

func TestPublishWithoutHandlers(t *testing.T) {
	t.Parallel()
	router := newRouter(t, ssestream.RouterConfig{})
	assert.False(t, router.Handles(topic))
	require.NoError(t, router.Publish(topic, changedMessage(t, "a")))
	assert.False(t, router.Handles(topic), "publishing does not make a handler")
	router.AddTopicsHandler([]string{topic, "another topic"}, newBoard().adapter(t))
	assert.True(t, router.Handles(topic))
	assert.True(t, router.Handles("another topic"))
	assert.False(t, router.Handles("a third topic"))
}

// TestPublishBeforeRun reaches the streams that there are.
func TestPublishBeforeRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		board := newBoard()
		router := newRouter(t, ssestream.RouterConfig{})
		site := servePipes(t, router.AddHandler(topic, board.adapter(t)))
		b := bubble{T: t, site: site, board: board, router: router}
		stream := b.connect("key=a")
		nextScore(t, stream)
		board.set("a", 1)
		require.NoError(t, router.Publish(topic, changedMessage(t, "a")))
		assert.Equal(t, 1, nextScore(t, stream).N)
		run(t, router)
		board.set("a", 2)
		require.NoError(t, router.Publish(topic, changedMessage(t, "a")))
		assert.Equal(t, 2, nextScore(t, stream).N)
	})
}

// TestPublishWhileTheRouterCloses and afterwards is no error: its clients load elsewhere.
func TestPublishWhileTheRouterCloses(t *testing.T) {
	t.Parallel()
	board := newBoard()
	router := newRouter(t, ssestream.RouterConfig{})
	site := serve(t, router.AddHandler(topic, board.adapter(t)))
	all := serve(t, router.AddHandler(topic, funcAdapter{initial: always("hello"), next: payload}))
	run(t, router)
	stream, plain := site.connect(t, "key=a"), all.connect(t, "")
	nextScore(t, stream)
	next(t, plain)

	var publishers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		publishers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					assert.NoError(t, router.Publish(topic, changedMessage(t, "a"), message.NewMessage("", nil)))
				}
			}
		})
	}
	require.NoError(t, router.Close())
	close(stop)
	publishers.Wait()
	loads := board.loaded("a")
	require.NoError(t, router.Publish(topic, changedMessage(t, "a")))
	assert.Equal(t, loads, board.loaded("a"))
}

// TestPublishBesideASubscriber brings messages by both.
func TestPublishBesideASubscriber(t *testing.T) {
	t.Parallel()
	board, source := newBoard(), newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
	site := serve(t, router.AddHandler(topic, board.adapter(t)))
	run(t, router)
	stream := site.connect(t, "key=a")
	nextScore(t, stream)
	board.set("a", 1)
	require.NoError(t, router.Publish(topic, changedMessage(t, "a")))
	assert.Equal(t, 1, nextScore(t, stream).N)
	board.set("a", 2)
	source.announce(t, "a")
	assert.Equal(t, 2, nextScore(t, stream).N)
}

// TestAHandlerIsAddedDuringADelivery of a message that concerns all keys.
func TestAHandlerIsAddedDuringADelivery(t *testing.T) {
	t.Parallel()
	router := newRouter(t, ssestream.RouterConfig{})
	var added sync.Once
	adapter, err := ssestream.AdapterBuilder[changed, score]{
		RequestKey: func(*http.Request) (string, error) { return "a", nil },
		EventKeys: func(changed) []string {
			added.Do(func() { router.AddHandler(topic, newBoard().adapter(t)) })

			return []string{ssestream.AllKeys}
		},
		Load: func(context.Context, string) (score, error) { return score{}, nil },
	}.Build()
	require.NoError(t, err)
	router.AddHandler(topic, adapter)
	run(t, router)
	require.NoError(t, router.Publish(topic, changedMessage(t), changedMessage(t)))
}
