package feedmill_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// newBroker returns a broker that hands every message to every subscription, and keeps those of later ones.
func newBroker(t *testing.T) *feedmill.Broker {
	t.Helper()
	channel := gochannel.NewGoChannel(gochannel.Config{Persistent: true, OutputChannelBuffer: 16}, watermill.NopLogger{})
	t.Cleanup(func() { assert.NoError(t, channel.Close()) })
	return &feedmill.Broker{Publisher: channel, Work: channel, Live: channel}
}

func TestInstancesOnABrokerFollowEachOther(t *testing.T) {
	t.Parallel()
	n, broker := newNotes(t), newBroker(t)
	var sites [2]site
	for i := range sites {
		config := feedmill.Config{Broker: broker}
		if i == 0 {
			config.Outbox = n.store.Outbox() // the other one only serves
		}
		app := newApp(t, config)
		tags := n.add(t, app)
		mux := http.NewServeMux()
		mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
		sites[i] = newSite(t, mux)
		run(t, app)
	}
	one, other := sites[0].follow(t, "/feeds/go"), sites[1].follow(t, "/feeds/go")
	assert.Empty(t, next[notePage](t, one).Items)
	assert.Empty(t, next[notePage](t, other).Items)
	n.create(t, "n1", "go")
	assert.Len(t, next[notePage](t, one).Items, 1)
	assert.Len(t, next[notePage](t, other).Items, 1)
}

func TestARefusedEventGoesToThePoisonTopicOfTheBroker(t *testing.T) {
	t.Parallel()
	n, broker := newNotes(t), newBroker(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox(), Broker: broker})
	n.add(t, app)
	poison, err := broker.Live.Subscribe(t.Context(), "poison")
	require.NoError(t, err)
	run(t, app)
	n.create(t, "bad", "")
	select {
	case msg := <-poison:
		msg.Ack()
		assert.Contains(t, msg.Metadata.Get(projector.PoisonReasonKey), "feed name is empty")
	case <-time.After(patience):
		require.Fail(t, "nothing comes")
	}
}

// TestProjectionsDoNotShareAConsumerGroup: each would get a part of the messages.
func TestProjectionsDoNotShareAConsumerGroup(t *testing.T) {
	t.Parallel()
	n, broker := newNotes(t), newBroker(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox(), Broker: broker})
	n.add(t, app)
	totals := projector.Config{Name: "totals", Topics: []string{"note-created"}, Projection: updates{}, UpdatesTopic: "totals-updated"}
	require.ErrorContains(t, app.AddProjection(totals), `"note-feeds" reads topic "note-created" from Broker.Work`)
	totals.Subscriber = newBroker(t).Work
	require.NoError(t, app.AddProjection(totals))
	run(t, app)
}

var errDeaf = errors.New("nobody hears")

// deaf is a subscriber that cannot subscribe.
type deaf struct{ message.Subscriber }

func (deaf) Subscribe(context.Context, string) (<-chan *message.Message, error) { return nil, errDeaf }

func TestRunFailsWithItsParts(t *testing.T) {
	t.Parallel()
	for name, breakPart := range map[string]func(*feedmill.Broker){
		"projection note-feeds": func(b *feedmill.Broker) { b.Work = deaf{} },
		"router":                func(b *feedmill.Broker) { b.Live = deaf{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, broker := newNotes(t), newBroker(t)
			breakPart(broker)
			app := newApp(t, feedmill.Config{Outbox: n.store.Outbox(), Broker: broker})
			tags := n.add(t, app)
			tags.Handler("tag")
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			listener := listen(t)
			err := app.Serve(ctx, &http.Server{ReadHeaderTimeout: time.Second}, listener)
			require.ErrorIs(t, err, errDeaf)
			require.ErrorContains(t, err, name)
			require.NoError(t, ctx.Err(), "it failed by itself")
			require.Error(t, app.Ready(t.Context()))
			require.Error(t, app.Run(t.Context()), "it runs once")
			_, err = listener.Accept()
			require.Error(t, err, "the server has stopped too")
		})
	}
}

// oneEvent is an outbox with one event.
type oneEvent struct {
	outbox.Operations

	published atomic.Bool
}

func (o *oneEvent) Drain(ctx context.Context, _ int, _ []string, publish outbox.PublishFunc) (int, error) {
	if o.published.Swap(true) {
		return 0, nil
	}
	publish(ctx, []outbox.Message{{Topic: "note-created", Message: message.NewMessage("1", nil)}})
	return 1, nil
}

func (o *oneEvent) Wake() <-chan struct{} { return nil }

// watched is a broker that blocks a Publish, and tells when it is subscribed to and when no more.
type watched struct{ publishing, release, unsubscribed chan struct{} }

func (w *watched) Publish(string, ...*message.Message) error {
	close(w.publishing)
	<-w.release
	return nil
}

func (w *watched) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	messages := make(chan *message.Message)
	context.AfterFunc(ctx, func() {
		close(messages)
		if topic == "note-created" {
			close(w.unsubscribed)
		}
	})
	return messages, nil
}

func (w *watched) Close() error { return nil }

// TestProjectionsOutliveTheRelay: a broker without storage would drop what the relay still publishes.
func TestProjectionsOutliveTheRelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &watched{publishing: make(chan struct{}), release: make(chan struct{}), unsubscribed: make(chan struct{})}
		app := newApp(t, feedmill.Config{Outbox: &oneEvent{}, Broker: &feedmill.Broker{Publisher: w, Work: w, Live: w}})
		require.NoError(t, app.AddProjection(projector.Config{
			Name: "notes", Topics: []string{"note-created"}, Projection: updates{}, UpdatesTopic: "notes-updated",
		}))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- app.Run(ctx) }()
		<-w.publishing
		stop()
		synctest.Wait()
		select {
		case <-w.unsubscribed:
			assert.Fail(t, "the projection has stopped before the relay")
		default:
		}
		close(w.release)
		require.NoError(t, <-ended)
		<-w.unsubscribed
	})
}

func TestConfigNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := feedmill.New(feedmill.Config{CloseTimeout: -1}, nil)
	require.ErrorContains(t, err, "Outbox is missing")
	require.ErrorContains(t, err, "CloseTimeout")
	_, err = feedmill.New(feedmill.Config{Broker: &feedmill.Broker{WorkSubscriptions: -1}}, nil)
	for _, field := range []string{"Broker.Publisher", "Broker.Live", "Broker.WorkSubscriptions"} {
		require.ErrorContains(t, err, field)
	}
	broker, n := newBroker(t), newNotes(t)
	config := feedmill.Config{Outbox: n.store.Outbox()}
	config.Router.UpstreamSubscriber, config.Relay.Publisher = broker.Live, broker.Publisher
	_, err = feedmill.New(config, nil)
	require.ErrorContains(t, err, "UpstreamSubscriber")
	require.ErrorContains(t, err, "Relay")
	_, err = feedmill.New(feedmill.Config{Broker: broker, Live: newWire(t)}, nil)
	require.ErrorContains(t, err, "a Broker and a Live")
	config = feedmill.Config{Outbox: n.store.Outbox()}
	config.Router.Retry = -1
	_, err = feedmill.New(config, nil)
	require.ErrorContains(t, err, "Retry")
}

func TestProjectionsNameEveryProblem(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	n.add(t, app)
	err := app.AddProjection(projector.Config{PoisonTopic: "poison", Publisher: newBroker(t).Publisher})
	for _, problem := range []string{"Name is missing", "Topics is missing", "PoisonTopic", "Publisher"} {
		require.ErrorContains(t, err, problem)
	}
	good := projector.Config{Name: "note-feeds", Topics: []string{"topic"}, Projection: updates{}, UpdatesTopic: "updates"}
	require.ErrorContains(t, app.AddProjection(good), "same name")
	good.Name, good.Workers = "good", -1
	require.ErrorContains(t, app.AddProjection(good), "Workers")
	_, err = feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{PageSize: limits.MaxPageLimit + 1})
	require.ErrorContains(t, err, "Items is missing")
	require.ErrorContains(t, err, "PageSize")
	_, err = feedmill.AddFeeds(app, feedmill.FeedsConfig[note]{Items: feedmill.ItemsElsewhere[note]("user")})
	require.ErrorContains(t, err, "Store")
	run(t, app)
	good.Name, good.Workers = "late", 0
	require.ErrorContains(t, app.AddProjection(good), "runs already")

	without := newApp(t, feedmill.Config{Broker: &feedmill.Broker{Publisher: newBroker(t).Publisher, Live: newBroker(t).Live}})
	require.ErrorContains(t, without.AddProjection(good), "Broker.Work")
}

func TestAKickIsHeardByAllInstances(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]feedmill.Config{"broker": {Broker: newBroker(t)}, "live": {Live: newWire(t)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testKick(t, config)
		})
	}
}

func testKick(t *testing.T, config feedmill.Config) {
	t.Helper()
	n := newNotes(t)
	config.Outbox = n.store.Outbox()
	config.Router.Principal, config.Router.KickTopic = func(r *http.Request) string { return r.Header.Get("User") }, "kicks"
	var apps [2]*feedmill.App
	var streams [2]*ssestreamtest.Stream
	for i := range apps {
		apps[i] = newApp(t, config)
		tags := n.add(t, apps[i])
		mux := http.NewServeMux()
		mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
		site := newSite(t, mux)
		run(t, apps[i])
		streams[i] = site.follow(t, "/feeds/go", ssestreamtest.WithHeader("User", "ann"))
		assert.Empty(t, next[notePage](t, streams[i]).Items)
	}
	require.NoError(t, apps[0].Router().Kick(t.Context(), ssestream.Kick{Principal: "ann"}))
	for _, stream := range streams {
		_, err := stream.Next(t.Context())
		require.ErrorIs(t, err, io.EOF)
	}
}
