package ssestream_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// funcAdapter is an adapter that is not an ssestream.Adapter.
type funcAdapter struct {
	initial func(w http.ResponseWriter, r *http.Request) (any, bool)
	next    func(r *http.Request, msg *message.Message) (any, bool)
}

func (a funcAdapter) InitialStreamResponse(w http.ResponseWriter, r *http.Request) (any, bool) {
	return a.initial(w, r)
}

func (a funcAdapter) NextStreamResponse(r *http.Request, msg *message.Message) (any, bool) {
	return a.next(r, msg)
}

func always(response any) func(http.ResponseWriter, *http.Request) (any, bool) {
	return func(http.ResponseWriter, *http.Request) (any, bool) { return response, true }
}

func payload(_ *http.Request, msg *message.Message) (any, bool) {
	return string(msg.Payload), string(msg.Payload) != "skip"
}

func TestPlainAdaptersAreServedInOrder(t *testing.T) {
	t.Parallel()

	source := newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source, QueueSize: 5000})
	site := serve(t, router.AddHandler(topic, funcAdapter{
		initial: always("hello"),
		next: func(r *http.Request, msg *message.Message) (any, bool) {
			// Each client has a copy of the message, with its request's context.
			msg.Metadata.Set("touched", msg.Metadata.Get("touched")+"x")
			assert.Equal(t, "x", msg.Metadata.Get("touched"))
			assert.Equal(t, r.Context(), msg.Context())

			return payload(r, msg)
		},
	}))
	run(t, router)
	streams := []*ssestreamtest.Stream{site.connect(t, ""), site.connect(t, ""), site.connect(t, "")}
	for _, stream := range streams {
		assert.Equal(t, ssestreamtest.Event{Type: "data", Data: `"hello"`}, next(t, stream))
	}
	for n := range 2000 {
		source.send(t, topic, []byte("skip"))
		source.send(t, topic, []byte(strconv.Itoa(n)))
	}
	for _, stream := range streams {
		for n := range 2000 {
			require.JSONEq(t, `"`+strconv.Itoa(n)+`"`, next(t, stream).Data)
		}
	}
	assert.Positive(t, router.Stats().Bytes)
}

// TestNoMessageFallsBetween subscribing and the initial response.
func TestNoMessageFallsBetween(t *testing.T) {
	t.Parallel()

	source := newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
	site := serve(t, router.AddHandler(topic, funcAdapter{
		initial: func(http.ResponseWriter, *http.Request) (any, bool) {
			source.send(t, topic, []byte("meanwhile"))

			return "hello", true
		},
		next: payload,
	}))
	run(t, router)
	stream := site.connect(t, "")
	assert.JSONEq(t, `"hello"`, next(t, stream).Data)
	assert.JSONEq(t, `"meanwhile"`, next(t, stream).Data)
}

// TestAPlainClientThatFallsTooFarBehind is disconnected, and others are not.
func TestAPlainClientThatFallsTooFarBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newSource()
		router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source, QueueSize: 3})
		gate := make(chan struct{})
		site := servePipes(t, router.AddHandler(topic, funcAdapter{
			initial: always(strings.Repeat("x", 10)),
			next: func(r *http.Request, msg *message.Message) (any, bool) {
				if r.URL.Query().Has("slow") {
					<-gate
				}

				return payload(r, msg)
			},
		}))
		run(t, router)
		slow, fast := site.connect(t, "slow"), site.connect(t, "")
		next(t, slow)
		next(t, fast)
		for n := range 5 { // One is under way, three wait, one is too many.
			source.send(t, topic, []byte(strconv.Itoa(n)))
			assert.JSONEq(t, `"`+strconv.Itoa(n)+`"`, next(t, fast).Data)
		}
		close(gate)
		for n := 0; ; n++ {
			event, err := slow.Next(t.Context())
			if err != nil {
				break
			}
			assert.Less(t, n, 4)
			assert.JSONEq(t, `"`+strconv.Itoa(n)+`"`, event.Data, "what comes is in order, with no gap")
		}
		synctest.Wait()
		stats := router.Stats()
		assert.EqualValues(t, 1, stats.Dropped)
		assert.EqualValues(t, 1, stats.Clients)
	})
}

// TestPlainClientsStartAfreshAfterAnInterruption, for they may have missed messages.
func TestPlainClientsStartAfreshAfterAnInterruption(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newSource()
		router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
		site := servePipes(t, router.AddHandler(topic, funcAdapter{initial: always("hello"), next: payload}))
		run(t, router)
		stream := site.connect(t, "")
		next(t, stream)
		source.interrupt()
		ended(t, stream)
		again := site.connect(t, "")
		next(t, again)
		source.send(t, topic, []byte("x"))
		assert.JSONEq(t, `"x"`, next(t, again).Data)
	})
}

func TestPlainResponses(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		response any
		want     string
	}{
		"json":                {map[string]int{"a": 1}, "event: data\ndata: {\"a\":1}\n\n"},
		"event":               {watermillhttp.ServerSentEvent{Event: "x", Data: []byte("a\nb")}, "event: x\ndata: a\ndata: b\n\n"},
		"cr cannot inject":    {watermillhttp.ServerSentEvent{Event: "x", Data: []byte("a\rid: 666")}, "event: x\ndata: a\ndata: id: 666\n\n"},
		"marshal error":       {func() {}, `event: error` + "\n" + `data: {"error":"json: unsupported type: func()"}` + "\n\n"},
		"event name is wrong": {watermillhttp.ServerSentEvent{Event: "x\ny"}, `event: error` + "\n" + `data: {"error":"encode event \"x\\ny\": event name contains a line break"}` + "\n\n"},
		"renderer":            {&rendering{Child: &rendering{}}, "event: data\ndata: {\"Rendered\":true,\"Child\":{\"Rendered\":true,\"Child\":null}}\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource()})
			site := serve(t, router.AddHandler(topic, funcAdapter{initial: always(test.response), next: payload}))
			run(t, router)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.url, http.NoBody)
			require.NoError(t, err)
			r.Header.Set("Accept", "text/event-stream")
			response, err := site.client.Do(r)
			require.NoError(t, err)
			defer response.Body.Close()
			buf := make([]byte, len("retry: 1000\n\n")+len(test.want))
			_, err = io.ReadFull(response.Body, buf)
			require.NoError(t, err)
			assert.Regexp(t, `^retry: \d{4}\n\n`+regexp.QuoteMeta(test.want)+"$", string(buf))
		})
	}
}

type rendering struct {
	Rendered bool
	Child    *rendering
}

func (r *rendering) Render(http.ResponseWriter, *http.Request) error {
	r.Rendered = true

	return nil
}

// upper is a custom marshaler.
type upper struct{}

func (upper) Marshal(_ context.Context, v any) (watermillhttp.ServerSentEvent, error) {
	data, err := json.Marshal(v)

	return watermillhttp.ServerSentEvent{Event: "upper", Data: []byte(strings.ToUpper(string(data)))}, err
}

func TestTheMarshalerIsUsedForAll(t *testing.T) {
	t.Parallel()

	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: newSource(), Marshaler: upper{}})
	typed := serve(t, router.AddHandler(topic, newBoard().adapter(t)))
	plain := serve(t, router.AddHandler(topic, funcAdapter{initial: always(score{Key: "a"}), next: payload}))
	run(t, router)
	for _, site := range []site{typed, plain} {
		event := next(t, site.connect(t, "key=a"))
		assert.Equal(t, "upper", event.Type)
		assert.JSONEq(t, `{"KEY":"A","N":0}`, event.Data)
		assert.Equal(t, http.StatusOK, site.do(t, http.MethodGet, "key=a").status)
	}
}

// named is a marshaler that gives every event its name.
type named string

func (n named) Marshal(context.Context, any) (watermillhttp.ServerSentEvent, error) {
	return watermillhttp.ServerSentEvent{Event: string(n), Data: []byte("x")}, nil
}

// TestEventNamesThatAreLoadErrors: an event that cannot be sent is not sent under another name, and its clients are told. The numbers are sections
// of the WHATWG HTML standard.
func TestEventNamesThatAreLoadErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		event   string
		refused bool
	}{
		"9.2.3 EventSource fires error when it fails": {"error", true},
		"9.2.3 EventSource fires open when it opens":  {"open", true},
		"problem is what a stale state is told by":    {"problem", true},
		"heartbeat is what means nothing":             {"heartbeat", true},
		"9.2.3 event names are compared as they are":  {"Error", false},
		"9.2.6 message is what an unnamed event is":   {"message", false},
		"9.2.5 LF would end the name's line":          {"a\ndata: x", true},
		"9.2.5 CR would end the name's line":          {"a\rdata: x", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, ssestream.RouterConfig{Marshaler: named(test.event)}, func(b bubble) {
				stream := b.connect("key=a")
				synctest.Wait()
				if stats := b.router.Stats(); test.refused {
					assert.EqualValues(b, 1, stats.LoadErrors)
					assert.Equal(b, "Service Unavailable", problemOf(b.T, stream)["title"])
				} else {
					assert.Zero(b, stats.LoadErrors)
					assert.Equal(b, test.event, next(b, stream).Type)
				}
				require.NoError(b, stream.Close())
			})
		})
	}
}

// TestAnAdapterThatEmbedsOurs has its own methods called.
func TestAnAdapterThatEmbedsOurs(t *testing.T) {
	t.Parallel()

	source := newSource()
	router := newRouter(t, ssestream.RouterConfig{UpstreamSubscriber: source})
	own := funcAdapter{initial: always("own"), next: payload}
	site := serve(t, router.AddHandler(topic, overriding{newBoard().adapter(t), own}))
	run(t, router)
	stream := site.connect(t, "key=a")
	assert.JSONEq(t, `"own"`, next(t, stream).Data)
	source.send(t, topic, []byte("x"))
	assert.JSONEq(t, `"x"`, next(t, stream).Data)
}

type overriding struct {
	*ssestream.Adapter[changed, score]
	own funcAdapter
}

func (o overriding) InitialStreamResponse(w http.ResponseWriter, r *http.Request) (any, bool) {
	return o.own.InitialStreamResponse(w, r)
}

func (o overriding) NextStreamResponse(r *http.Request, msg *message.Message) (any, bool) {
	return o.own.NextStreamResponse(r, msg)
}

// TestAdapterWithoutARouter calls the adapter in a hand-written handler.
func TestAdapterWithoutARouter(t *testing.T) {
	t.Parallel()

	board := newBoard()
	board.set("a", 1)
	adapter := board.adapter(t)
	var _ watermillhttp.StreamAdapter = adapter
	site := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		response, ok := adapter.InitialStreamResponse(w, r)
		if !ok {
			return
		}
		assert.Equal(t, score{Key: "a", N: 1}, response)
		for payload, want := range map[string]bool{
			`{"Keys":["b","a"]}`:          true,
			`{"Keys":["b"]}`:              false,
			`{"Keys":["\u0000all keys"]}`: true,
			`{"Keys":`:                    true,
		} {
			msg := message.NewMessage("1", []byte(payload))
			response, ok := adapter.NextStreamResponse(r, msg)
			assert.Equal(t, want, ok, payload)
			if want {
				assert.Equal(t, score{Key: "a", N: 1}, response)
			}
		}
		board.before(failing(errors.New("away")))
		_, ok = adapter.NextStreamResponse(r, message.NewMessage("1", []byte(`{"Keys":["a"]}`)))
		assert.False(t, ok)
		w.WriteHeader(http.StatusAccepted)
	}))
	assert.Equal(t, http.StatusAccepted, site.do(t, http.MethodGet, "key=a").status)
	assert.Equal(t, http.StatusBadRequest, site.do(t, http.MethodGet, "").status)
}
