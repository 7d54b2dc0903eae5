package ssestream_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topic = "score-changed"

// score is the state in these tests, and changed announces it.
type score struct {
	Key  string
	N    int
	Text string `json:",omitempty"`
}

type changed struct{ Keys []string }

// board is a store of scores that counts its loads and can be made to fail and to wait.
type board struct {
	mu     sync.Mutex
	scores map[string]score
	loads  map[string]int
	hook   func(ctx context.Context, key string) error

	sumHook func()
}

func newBoard() *board {
	return &board{scores: map[string]score{}, loads: map[string]int{}}
}

func (b *board) set(key string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scores[key]
	s.Key, s.N = key, n
	b.scores[key] = s
}

func (b *board) setText(key, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scores[key]
	s.Text = text
	b.scores[key] = s
}

// before has every load call f before it reads.
func (b *board) before(f func(ctx context.Context, key string) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hook = f
}

func (b *board) loaded(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.loads[key]
}

func (b *board) load(ctx context.Context, key string) (score, error) {
	b.mu.Lock()
	b.loads[key]++
	hook := b.hook
	b.mu.Unlock()
	if hook != nil {
		if err := hook(ctx, key); err != nil {
			return score{}, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.scores[key]
	s.Key = key

	return s, nil
}

// sums has every sum call f first.
func (b *board) sums(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sumHook = f
}

// sum is the state of all scores together.
func (b *board) sum(context.Context, string) (list, error) {
	b.mu.Lock()
	hook := b.sumHook
	b.mu.Unlock()
	if hook != nil {
		hook()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var l list
	for _, s := range b.scores {
		l.Sum += s.N
	}

	return l, nil
}

// compressed reports whether the tests of this package are run on compressed streams, as FEEDMILL_COMPRESS says. Go's client
// accepts gzip.
func compressed() bool { return os.Getenv("FEEDMILL_COMPRESS") != "" }

// varied is the Vary field of a stream that may be compressed.
func varied(fields string) string {
	if compressed() {
		fields += ", Accept-Encoding"
	}

	return fields
}

// bulk is a text that is hardly compressed.
func bulk(n int) string {
	text := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(text) // It has no error.
	for i := range text {
		text[i] = '0' + text[i]%64 // up to o, without what JSON escapes
		if text[i] == '\\' {
			text[i] = 'x'
		}
	}

	return string(text)
}

func (b *board) builder() ssestream.AdapterBuilder[changed, score] {
	return ssestream.AdapterBuilder[changed, score]{
		RequestKey: func(r *http.Request) (string, error) {
			key := r.URL.Query().Get("key")
			if key == "" {
				return "", errors.New("key is missing")
			}

			return key, nil
		},
		EventKeys: func(e changed) []string { return e.Keys },
		Load:      b.load,
		Compress:  compressed(),
	}
}

func (b *board) adapter(tb testing.TB) *ssestream.Adapter[changed, score] {
	tb.Helper()
	adapter, err := b.builder().Build()
	require.NoError(tb, err)

	return adapter
}

// source is a subscriber whose messages the test sends.
type source struct {
	mu            sync.Mutex
	subscriptions map[string][]chan *message.Message
	subscribed    int
	closed        bool
	err           error
}

func newSource() *source {
	return &source{subscriptions: map[string][]chan *message.Message{}}
}

func (s *source) Subscribe(_ context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	s.subscribed++
	messages := make(chan *message.Message)
	s.subscriptions[topic] = append(s.subscriptions[topic], messages)

	return messages, nil
}

func (s *source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true

	return nil
}

// fail makes Subscribe fail, or work again with nil.
func (s *source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *source) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic := range maps.Keys(s.subscriptions) {
		for _, messages := range s.subscriptions[topic] {
			close(messages)
		}
		delete(s.subscriptions, topic)
	}
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.subscribed
}

// send sends a message to all subscriptions and returns when it is acknowledged.
func (s *source) send(tb testing.TB, topic string, payload []byte) {
	tb.Helper()
	s.sendWith(tb, topic, nil, payload)
}

func (s *source) sendWith(tb testing.TB, topic string, metadata message.Metadata, payload []byte) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotEmpty(tb, s.subscriptions[topic], "nobody is subscribed to %s", topic)
	for _, messages := range s.subscriptions[topic] {
		msg := message.NewMessage(watermill.NewUUID(), slices.Clone(payload))
		msg.Metadata = maps.Clone(metadata)
		messages <- msg
		<-msg.Acked()
	}
}

// announce sends the event that the keys have changed.
func (s *source) announce(tb testing.TB, keys ...string) {
	tb.Helper()
	s.announceWith(tb, nil, keys...)
}

func (s *source) announceWith(tb testing.TB, metadata message.Metadata, keys ...string) {
	tb.Helper()
	payload, err := json.Marshal(changed{Keys: keys})
	require.NoError(tb, err)
	s.sendWith(tb, topic, metadata, payload)
}

// newRouter returns a router that does not resync, so that loads can be counted.
func newRouter(tb testing.TB, config ssestream.RouterConfig) *ssestream.Router {
	tb.Helper()
	if config.Resync == 0 {
		config.Resync = ssestream.Off
	}
	router, err := ssestream.NewRouter(config, watermill.NopLogger{})
	require.NoError(tb, err)

	return router
}

// run runs the router until the test ends.
func run(tb testing.TB, router *ssestream.Router) {
	tb.Helper()
	done := make(chan error, 1)
	go func() { done <- router.Run(context.Background()) }()
	tb.Cleanup(func() {
		require.NoError(tb, router.Close())
		require.NoError(tb, <-done)
	})
	<-router.Running()
}

// next returns the stream's next event, and fails without one.
func next(tb testing.TB, stream *ssestreamtest.Stream) ssestreamtest.Event {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	event, err := stream.Next(ctx)
	require.NoError(tb, err)

	return event
}

// nextScore is next for states.
func nextScore(tb testing.TB, stream *ssestreamtest.Stream) score {
	tb.Helper()

	return scoreOf(tb, next(tb, stream))
}

// scoreOf returns the state in an event.
func scoreOf(tb testing.TB, event ssestreamtest.Event) score {
	tb.Helper()
	require.Equal(tb, "data", event.Type)
	var s score
	require.NoError(tb, json.Unmarshal([]byte(event.Data), &s))

	return s
}
