package feedmill_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/ssestream"
)

// wire is a Live that can fail and lose messages, and keeps the topics.
type wire struct {
	*gochannel.GoChannel

	mu     sync.Mutex
	fails  int // how many calls of Publish will
	loses  bool
	topics []string
	cut    func() // ends all subscriptions
}

func newWire(t *testing.T) *wire {
	t.Helper()
	channel := gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: 16}, watermill.NopLogger{})
	t.Cleanup(func() { assert.NoError(t, channel.Close()) })
	return &wire{GoChannel: channel, cut: func() {}}
}

func (w *wire) Publish(topic string, messages ...*message.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fails > 0 {
		w.fails--
		return errors.New("the wire is cut")
	}
	w.topics = append(w.topics, topic)
	if w.loses {
		return nil
	}
	return w.GoChannel.Publish(topic, messages...)
}

func (w *wire) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	ctx, cancel := context.WithCancel(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.cut
	w.cut = func() { before(); cancel() }
	return w.GoChannel.Subscribe(ctx, topic)
}

// set changes the wire, and returns the topics that were published since.
func (w *wire) set(fails int, loses bool) (topics []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	topics, w.topics, w.fails, w.loses = w.topics, nil, fails, loses
	return topics
}

func (w *wire) cutAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut()
}

// startInstance runs an App on the notes. Only the Live makes its streams load again.
func startInstance(t *testing.T, n notes, queue outbox.Outbox, live feedmill.Live) site {
	t.Helper()
	app := newApp(t, feedmill.Config{Outbox: queue, Live: live, Router: ssestream.RouterConfig{Resync: ssestream.Off}})
	tags := n.add(t, app)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	run(t, app)
	return newSite(t, mux)
}

// twoInstances returns notes whose events the first instance relays, and the second one.
func twoInstances(t *testing.T, live feedmill.Live) (n notes, one, other site) {
	t.Helper()
	n = newNotes(t)
	return n, startInstance(t, n, n.store.Outbox(), live), startInstance(t, n, newNotes(t).store.Outbox(), live)
}

func TestInstancesWithoutABrokerFollowEachOther(t *testing.T) {
	t.Parallel()
	n, one, other := twoInstances(t, newWire(t))
	here, there := one.follow(t, "/feeds/go"), other.follow(t, "/feeds/go")
	assert.Empty(t, next[notePage](t, here).Items)
	assert.Empty(t, next[notePage](t, there).Items)
	n.create(t, "n1", "go")
	assert.Len(t, next[notePage](t, here).Items, 1)
	assert.Len(t, next[notePage](t, there).Items, 1)
}

// TestWhatOthersWereNotToldIsPublishedAgain: an event stays in the outbox until the others were told of its update.
func TestWhatOthersWereNotToldIsPublishedAgain(t *testing.T) {
	t.Parallel()
	live := newWire(t)
	n, _, other := twoInstances(t, live)
	there := other.follow(t, "/feeds/go")
	assert.Empty(t, next[notePage](t, there).Items)
	live.set(2, false)
	n.create(t, "n1", "go")
	assert.Len(t, next[notePage](t, there).Items, 1)
}

// TestOthersAreToldOfWhatIsRefused, although telling them fails when it is refused first.
func TestOthersAreToldOfWhatIsRefused(t *testing.T) {
	t.Parallel()
	live := newWire(t)
	live.set(1, false)
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox(), Live: live})
	require.NoError(t, app.AddProjection(projector.Config{
		Name: "no x", Topics: cqrsfeed.TopicsOf("note").All(), Projection: &refuser{tag: "x", tags: map[string]bool{}},
	}))
	app.Handle(newListener(t), "note-created")
	run(t, app)
	n.create(t, "n1", "x")
	require.Eventually(t, func() bool {
		backlog, err := n.store.Outbox().Backlog(t.Context())
		return err == nil && backlog.Parked == 1
	}, patience, time.Millisecond)
	assert.Equal(t, []string{"note-created"}, live.set(0, false))
}

func TestAnInterruptionIsHealed(t *testing.T) {
	t.Parallel()
	live := newWire(t)
	n, one, other := twoInstances(t, live)
	here, there := one.follow(t, "/feeds/go"), other.follow(t, "/feeds/go")
	assert.Empty(t, next[notePage](t, here).Items)
	assert.Empty(t, next[notePage](t, there).Items)
	live.set(0, true)
	n.create(t, "n1", "go")
	assert.Len(t, next[notePage](t, here).Items, 1)
	live.cutAll()
	assert.Len(t, next[notePage](t, there).Items, 1)
}

// newListener returns an adapter that shows nothing.
func newListener(t *testing.T) *ssestream.Adapter[any, string] {
	t.Helper()
	adapter, err := ssestream.AdapterBuilder[any, string]{
		RequestKey: func(*http.Request) (string, error) { return "", nil },
		EventKeys:  func(any) []string { return nil },
		Load:       func(context.Context, string) (string, error) { return "", nil },
	}.Build()
	require.NoError(t, err)
	return adapter
}

// TestOthersAreToldOfWhatIsFollowed: of updates, and of events only if a handler follows them.
func TestOthersAreToldOfWhatIsFollowed(t *testing.T) {
	t.Parallel()
	live := newWire(t)
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox(), Live: live})
	n.add(t, app)
	run(t, app)
	n.create(t, "n1", "go")
	emptied := func() bool {
		backlog, err := n.store.Outbox().Backlog(t.Context())
		return err == nil && backlog.Waiting == 0
	}
	require.Eventually(t, emptied, patience, time.Millisecond)
	assert.Equal(t, []string{"note-feed-updated"}, live.set(0, false), "though this instance has no handler")
	app.Handle(newListener(t), "note-created")
	n.create(t, "n2", "go")
	require.Eventually(t, emptied, patience, time.Millisecond)
	assert.Equal(t, []string{"note-feed-updated", "note-created"}, live.set(0, false))
}

func TestOperatorsTellAllInstances(t *testing.T) {
	t.Parallel()
	live, n := newWire(t), newNotes(t)
	target, err := feedmill.FeedsConfig[note]{Items: n.repo, Store: n.feeds, FeedsOf: tagOf}.
		Target(feedmill.Config{Outbox: n.store.Outbox(), Live: live})
	require.NoError(t, err)
	assert.Equal(t, message.Publisher(live), target.Publisher)
	assert.Equal(t, "note-feed-updated", target.UpdatesTopic)
}
