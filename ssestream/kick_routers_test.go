package ssestream_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/internal/reload"
	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestOtherRoutersHearOfAKick, and its own does not kick twice.
func TestOtherRoutersHearOfAKick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broker := gochannel.NewGoChannel(gochannel.Config{BlockPublishUntilSubscriberAck: true}, watermill.NopLogger{})
		t.Cleanup(func() { require.NoError(t, broker.Close()) })
		var routers []*ssestream.Router
		var streams []*ssestreamtest.Stream
		var sites []site
		again := make(chan []byte, 2)
		for range 3 {
			config := kickable(t)
			config.UpstreamSubscriber, config.KickPublisher = broker, broker
			router := newRouter(t, config)
			site := servePipes(t, router.AddHandler(topic, newBoard().adapter(t)))
			run(t, router)
			stream := site.connect(t, "key=a", as("ann"))
			nextScore(t, stream)
			routers, streams, sites = append(routers, router), append(streams, stream), append(sites, site)
		}
		messages, err := broker.Subscribe(t.Context(), kickTopic)
		require.NoError(t, err)
		go func() {
			for msg := range messages {
				msg.Ack()
				if len(msg.Payload) > 1 {
					again <- msg.Payload
				}
			}
		}()
		require.NoError(t, routers[1].Kick(t.Context(), ssestream.Kick{Principal: "ann"}))
		for _, stream := range streams {
			ended(t, stream)
		}
		b := bubble{T: t, site: sites[1]}
		stream := b.connect("key=a", as("ann"))
		nextScore(t, stream)
		other := sites[0].connect(t, "key=a", as("ann"))
		nextScore(t, other)
		require.NoError(t, broker.Publish(kickTopic, message.NewMessage(watermill.NewUUID(), <-again))) // late, or again
		ended(t, other)
		b.quiet(stream, time.Minute)
	})
}

// TestAllStreamsEndWithKicksThatAreNotKnown. These may have been about anybody, also about streams that Authorize allows.
func TestAllStreamsEndWithKicksThatAreNotKnown(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"not JSON":          "{",
		"empty":             "",
		"null":              "null",
		"names nobody":      "{}",
		"only authorize":    `{"authorize":true}`,
		"of another kind":   `{"session":"x","from":"y"}`,
		"narrowed further":  `{"principal":"bob","session":"x","from":"y"}`,
		"more than a value": `{"principal":"bob"}{"key":"a"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endsAll(t, func(b bubble) { b.source.send(b, kickTopic, []byte(payload)) })
		})
	}
	t.Run("replaced", func(t *testing.T) {
		t.Parallel()
		endsAll(t, func(b bubble) {
			msg := message.NewMessage("", nil)
			reload.Mark(msg)
			b.source.sendWith(b, kickTopic, msg.Metadata, nil)
		})
	})
	t.Run("missed", func(t *testing.T) {
		t.Parallel()
		endsAll(t, func(b bubble) { b.source.interrupt() })
	})
}

// endsAll has lose end all streams. Each may go on by Authorize.
func endsAll(t *testing.T, lose func(b bubble)) {
	t.Helper()
	inBubbles(t, settings{config: kickable(t), rights: true}, func(b bubble) {
		ann, bob := b.connect("key=a", as("ann")), b.connect("key=b", as("bob"))
		nextScore(b, ann)
		nextScore(b, bob)
		lose(b)
		ended(b, ann)
		ended(b, bob)
		synctest.Wait()
		nextScore(b, b.connect("key=a", as("ann")))
	})
}

// hungPublisher is of a broker that hangs for an hour, whatever the context of a message says.
type hungPublisher struct{}

func (hungPublisher) Publish(string, ...*message.Message) error {
	<-time.After(time.Hour)
	return errStore
}

func (hungPublisher) Close() error { return nil }

// TestKickWhileTheBrokerHangs ends the streams here at once, and returns when its context ends.
func TestKickWhileTheBrokerHangs(t *testing.T) {
	t.Parallel()
	for name, authorize := range map[string]bool{"end": false, "authorize": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := kickable(t)
			config.KickPublisher = hungPublisher{}
			inBubbles(t, settings{config: config, rights: true}, func(b bubble) {
				stream := b.connect("key=a", as("ann"))
				nextScore(b, stream)
				b.rights.set(func(s *rights) { s.refused["ann"] = errors.New("logged out") })
				ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
				defer cancel()
				start, kicked := time.Now(), make(chan error, 1)
				go func() { kicked <- b.router.Kick(ctx, ssestream.Kick{Principal: "ann", Authorize: authorize}) }()
				ended(b, stream)
				assert.Zero(b, time.Since(start))
				err := <-kicked
				require.ErrorIs(b, err, context.DeadlineExceeded)
				require.ErrorContains(b, err, "other routers may not have been told")
				assert.NotContains(b, err.Error(), "streams have not ended")
				assert.Equal(b, time.Minute, time.Since(start))
				settle(time.Hour) // The broker is back, and Publish returns.
			})
		})
	}
}

// gatedPublisher is of a broker that hangs until the gate is closed.
type gatedPublisher struct {
	calls atomic.Int64
	gate  chan struct{}
}

func (p *gatedPublisher) Publish(string, ...*message.Message) error {
	p.calls.Add(1)
	<-p.gate

	return nil
}

func (*gatedPublisher) Close() error { return nil }

// TestKicksThatHang are not more than 16 at once, and Close waits for them.
func TestKicksThatHang(t *testing.T) {
	t.Parallel()
	publisher := &gatedPublisher{}
	config := kickable(t)
	config.KickPublisher = publisher
	inBubble(t, config, func(b bubble) {
		publisher.gate = make(chan struct{})
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		var kicks sync.WaitGroup
		for range 20 {
			kicks.Go(func() {
				err := b.router.Kick(ctx, ssestream.Kick{Principal: "ann"})
				assert.ErrorIs(b, err, context.DeadlineExceeded) //nolint:testifylint // not the test's goroutine
				assert.ErrorContains(b, err, "other routers")
			})
		}
		kicks.Wait()
		assert.EqualValues(b, 16, publisher.calls.Load())

		closed := make(chan error, 1)
		go func() { closed <- b.router.Close() }()
		settle(time.Second)
		assert.Empty(b, closed)
		close(publisher.gate)
		require.NoError(b, <-closed)
		require.NoError(b, b.router.Kick(b.Context(), ssestream.Kick{Principal: "ann"}), "others are told all the same")
		assert.EqualValues(b, 17, publisher.calls.Load())
	})
}

// TestKickWhileAuthorizeHangs for one stream: the others that are refused end at once, and this one when it is known.
func TestKickWhileAuthorizeHangs(t *testing.T) {
	t.Parallel()
	inBubbles(t, settings{config: kickable(t), rights: true}, func(b bubble) {
		ann, bob := b.connect("key=a", as("ann")), b.connect("key=a", as("bob"))
		nextScore(b, ann)
		nextScore(b, bob)
		b.rights.set(func(s *rights) {
			s.refused["ann"], s.refused["bob"] = errStore, errStore
			s.check = func(user string) {
				if user == "bob" {
					<-time.After(time.Hour)
				}
			}
		})
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		defer cancel()
		start, kicked := time.Now(), make(chan error, 1)
		go func() { kicked <- b.router.Kick(ctx, ssestream.Kick{Key: "a", Authorize: true}) }()
		ended(b, ann)
		assert.Zero(b, time.Since(start))
		require.ErrorContains(b, <-kicked, "streams have not ended")
		assert.Equal(b, time.Minute, time.Since(start))
		b.quiet(bob, 58*time.Minute)
		ended(b, bob)
		assert.Equal(b, time.Hour, time.Since(start))
	})
}
