// Package livetest tests live Pub/Subs of stores, and instances of an application that have them.
package livetest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
)

const patience = time.Minute

// Open returns the Live of one more instance of an application, on the same database.
type Open func(t *testing.T) feedmill.Live

// Test runs all tests.
func Test(t *testing.T, fresh func(t *testing.T) Open) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Open){
		"others hear what one publishes": testOthersHear,
		"messages of any size":           testSizes,
		"more than can wait":             testMany,
		"several instances publish":      testSeveral,
		"a Nack":                         testNack,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// Subscribe subscribes until the test ends.
func Subscribe(t *testing.T, live message.Subscriber, topic string) <-chan *message.Message {
	t.Helper()
	messages, err := live.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	return messages
}

// Next returns the next message and acknowledges it. It returns nil if the channel is closed.
func Next(t *testing.T, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg, open := <-messages:
		if open {
			require.True(t, msg.Ack())
		}
		return msg
	case <-time.After(patience):
		require.Fail(t, "nothing comes")
		return nil
	}
}

// Publish publishes a message with the UUID.
func Publish(t *testing.T, live message.Publisher, topic, uuid, payload string) {
	t.Helper()
	msg := message.NewMessageWithContext(t.Context(), uuid, []byte(payload))
	msg.Metadata.Set("of", uuid)
	require.NoError(t, live.Publish(topic, msg))
}

func testOthersHear(t *testing.T, open Open) {
	t.Helper()
	one, other, third := open(t), open(t), open(t)
	Publish(t, one, "a", "before", "")
	atOne, atOther, atThird, elsewhere := Subscribe(t, one, "a"), Subscribe(t, other, "a"), Subscribe(t, third, "a"), Subscribe(t, other, "b")
	for i := range 100 {
		Publish(t, one, "a", strconv.Itoa(i), "payload\x00 of ключ")
	}
	Publish(t, one, "b", "b", "")
	for _, messages := range []<-chan *message.Message{atOther, atThird} {
		for i := range 100 {
			msg := Next(t, messages)
			require.Equal(t, strconv.Itoa(i), msg.UUID)
			require.Equal(t, msg.UUID, msg.Metadata.Get("of"))
			require.Equal(t, "payload\x00 of ключ", string(msg.Payload))
		}
	}
	require.Equal(t, "b", Next(t, elsewhere).UUID)
	Publish(t, other, "a", "other", "")
	require.Equal(t, "other", Next(t, atOne).UUID, "nothing of its own came before")
	require.NoError(t, other.Close())
	require.Nil(t, Next(t, atOther))
}

func testSizes(t *testing.T, open Open) {
	t.Helper()
	one, other := open(t), open(t)
	messages := Subscribe(t, other, "a")
	large := strings.Repeat("large ключ", 10_000)
	Publish(t, one, "a", "large", large)
	require.Equal(t, large, string(Next(t, messages).Payload))
	Publish(t, one, "a", "too large", strings.Repeat("x", 300_000))
	reload := Next(t, messages)
	require.Empty(t, reload.Payload)
	require.NotEmpty(t, reload.Metadata, "it is marked")
	Publish(t, one, "a", "small", "")
	require.Equal(t, "small", Next(t, messages).UUID)
}

// testMany: a reload replaces what is too much, at once or because the subscriber is slow.
func testMany(t *testing.T, open Open) {
	t.Helper()
	one, other := open(t), open(t)
	messages := Subscribe(t, other, "a")
	publish := func(number int) {
		batch := make([]*message.Message, number)
		for i := range batch {
			batch[i] = message.NewMessageWithContext(t.Context(), strconv.Itoa(i), nil)
		}
		require.NoError(t, one.Publish("a", batch...))
	}
	publish(1500)
	require.NotEmpty(t, Next(t, messages).Metadata, "it is marked")
	for range 30 {
		publish(100)
	}
	Publish(t, one, "a", "last", "")
	msg := Next(t, messages)
	for ; msg != nil && msg.UUID != "last"; msg = Next(t, messages) {
	}
	require.NotNil(t, msg, "the subscription goes on")
}

// testSeveral: whatever the order in which transactions commit, none is missed.
func testSeveral(t *testing.T, open Open) {
	t.Helper()
	const publishers, each = 6, 50
	reader := open(t)
	messages := Subscribe(t, reader, "a")
	var publishing sync.WaitGroup
	for p := range publishers {
		live := open(t)
		publishing.Go(func() {
			for i := range each {
				msg := message.NewMessageWithContext(context.WithoutCancel(t.Context()), fmt.Sprintf("%d-%d", p, i), nil)
				assert.NoError(t, live.Publish("a", msg))
			}
		})
	}
	next := map[int]int{}
	for range publishers * each {
		msg := Next(t, messages)
		require.NotNil(t, msg)
		var p, i int
		_, err := fmt.Sscanf(msg.UUID, "%d-%d", &p, &i)
		require.NoError(t, err)
		require.Equal(t, next[p], i, "in the order of the publisher")
		next[p]++
	}
	publishing.Wait()
}

func testNack(t *testing.T, open Open) {
	t.Helper()
	one, other := open(t), open(t)
	messages := Subscribe(t, other, "a")
	Publish(t, one, "a", "1", "")
	first := <-messages
	require.True(t, first.Nack())
	require.Equal(t, "1", Next(t, messages).UUID)
}
