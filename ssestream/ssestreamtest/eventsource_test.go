package ssestreamtest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// script serves each request with the next of the handlers, and all later ones with the last. It records the time and
// the Last-Event-ID of each request.
type script struct {
	handlers []http.HandlerFunc
	n        atomic.Int64
	requests chan scripted
}

type scripted struct {
	at     time.Time
	lastID []string
}

func newScript(handlers ...http.HandlerFunc) *script {
	return &script{handlers: handlers, requests: make(chan scripted, 100)}
}

func (s *script) serve(w http.ResponseWriter, r *http.Request) {
	s.requests <- scripted{at: time.Now(), lastID: r.Header.Values("Last-Event-ID")}
	n := int(s.n.Add(1))
	s.handlers[min(n, len(s.handlers))-1](w, r)
}

func respond(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { stream(w, body) }
}

// respondAndStay sends body and keeps the stream open.
func respondAndStay(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		stream(w, body)
		<-r.Context().Done()
	}
}

// respondAndBreak sends body and breaks the connection.
func respondAndBreak(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if body != "" {
			stream(w, body)
		}
		panic(http.ErrAbortHandler)
	}
}

func next(t *testing.T, source *ssestreamtest.EventSource) ssestreamtest.Event {
	t.Helper()
	event, err := source.Next(testContext(t))
	require.NoError(t, err)

	return event
}

// TestEventSourceReconnects tests section 9.2.3 in virtual time: the wait and the Last-Event-ID of each reconnect.
func TestEventSourceReconnects(t *testing.T) {
	t.Parallel()

	second := time.Second
	for name, test := range map[string]struct {
		handlers []http.HandlerFunc
		options  []ssestreamtest.Option
		waits    []time.Duration // before the connections after the first
		lastIDs  []string        // of the connections after the first, "-" for no header
		retry    time.Duration
		events   int
		open     int
	}{
		"after the end of a stream": {
			handlers: []http.HandlerFunc{respond("id: 1\ndata: x\n\n"), respondAndStay("")},
			waits:    []time.Duration{3 * second}, lastIDs: []string{"1"}, events: 1, open: 2,
		},
		"after the end amid a stream": {
			handlers: []http.HandlerFunc{respondAndBreak("id: 1\ndata: x\n\nid: 2\ndata: y\n"), respondAndStay("")},
			waits:    []time.Duration{3 * second}, lastIDs: []string{"1"}, events: 1, open: 2,
		},
		"without any response": {
			handlers: []http.HandlerFunc{respondAndBreak(""), respondAndBreak(""), respondAndStay("data: x\n\n")},
			waits:    []time.Duration{3 * second, 3 * second}, lastIDs: []string{"-", "-"}, events: 1, open: 1,
		},
		"after the time that retry says, also on later connections": {
			handlers: []http.HandlerFunc{respond("retry: 10000\n"), respondAndBreak(""), respond("retry: 20\nretry: x\n\n"), respondAndStay("")},
			waits:    []time.Duration{10 * second, 10 * second, second / 50}, lastIDs: []string{"-", "-", "-"},
			retry: second / 50, open: 3,
		},
		"at once with retry 0": {
			handlers: []http.HandlerFunc{respond("retry: 0\n\n"), respondAndStay("")},
			waits:    []time.Duration{0}, lastIDs: []string{"-"}, open: 2,
		},
		"sooner than retry says": {
			options:  []ssestreamtest.Option{ssestreamtest.WithMaxWait(second)},
			handlers: []http.HandlerFunc{respond("retry: 500\n\n"), respond("retry: 60000\n\n"), respondAndStay("")},
			waits:    []time.Duration{second / 2, second}, lastIDs: []string{"-", "-"}, retry: time.Minute, open: 3,
		},
		"with the ID of a block without data": {
			handlers: []http.HandlerFunc{respond("id: 1\ndata: x\n\nid: 2\n\n"), respondAndStay("")},
			waits:    []time.Duration{3 * second}, lastIDs: []string{"2"}, events: 1, open: 2,
		},
		"with an ID from an earlier connection": {
			handlers: []http.HandlerFunc{respond("id: 1\ndata: x\n\n"), respond("data: y\n\n"), respondAndStay("data: z\n\n")},
			waits:    []time.Duration{3 * second, 3 * second}, lastIDs: []string{"1", "1"}, events: 3, open: 3,
		},
		"without an ID once it was reset": {
			handlers: []http.HandlerFunc{respond("id: 1\ndata: x\n\n"), respond("id\ndata: y\n\n"), respondAndStay("")},
			waits:    []time.Duration{3 * second, 3 * second}, lastIDs: []string{"1", "-"}, events: 2, open: 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				script := newScript(test.handlers...)
				source := open(t, servePipes(t, script.serve), "http://pipe/", test.options...)
				recorder := record(t, source)
				before := <-script.requests
				assert.Empty(t, before.lastID)
				for i, wait := range test.waits {
					if wait > 0 {
						synctest.Wait()
						assert.Equal(t, ssestreamtest.StateConnecting, source.ReadyState())
					}
					came := <-script.requests
					assert.Equal(t, wait, came.at.Sub(before.at), "wait %d", i)
					want := []string{test.lastIDs[i]}
					if test.lastIDs[i] == "-" {
						want = nil
					}
					assert.Equal(t, want, came.lastID, "Last-Event-ID %d", i)
					before = came
				}
				synctest.Wait()
				assert.Len(t, recorder.Events(), test.events)
				assert.Equal(t, test.open, source.Connections())
				assert.Equal(t, test.retry, source.Retry())
				assert.Equal(t, ssestreamtest.StateOpen, source.ReadyState())
			})
		})
	}
}

// TestEventSourceStopsWithoutAStream tests that a response that is not a stream closes the source (section 9.2.3).
func TestEventSourceStopsWithoutAStream(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		status      int
		contentType string
		ok          bool
	}{
		"200":                {status: http.StatusOK, contentType: "text/event-stream", ok: true},
		"parameters":         {status: http.StatusOK, contentType: "text/event-stream;charset=x", ok: true},
		"upper case":         {status: http.StatusOK, contentType: "Text/Event-Stream ; charset=utf-8", ok: true},
		"204 stops it":       {status: http.StatusNoContent},
		"other type":         {status: http.StatusOK, contentType: "application/json"},
		"longer type":        {status: http.StatusOK, contentType: "text/event-stream-not"},
		"201":                {status: http.StatusCreated, contentType: "text/event-stream"},
		"429":                {status: http.StatusTooManyRequests, contentType: "text/event-stream"},
		"503":                {status: http.StatusServiceUnavailable, contentType: "text/event-stream"},
		"redirect to nobody": {status: http.StatusFound, contentType: "text/event-stream"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				script := newScript(respond("data: x\n\n"), func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", test.contentType)
					w.WriteHeader(test.status)
					if test.ok {
						fmt.Fprint(w, "data: y\n\n")
					}
				})
				source := open(t, servePipes(t, script.serve), "http://pipe/")
				require.Equal(t, "x", next(t, source).Data)
				if test.ok {
					require.Equal(t, "y", next(t, source).Data)

					return
				}
				for range 2 {
					_, err := source.Next(testContext(t))
					var refused *ssestreamtest.ResponseError
					require.ErrorAs(t, err, &refused)
					assert.Equal(t, test.status, refused.StatusCode)
				}
				assert.Equal(t, ssestreamtest.StateClosed, source.ReadyState())
				assert.Equal(t, 1, source.Connections())
				time.Sleep(time.Hour) //nolint:forbidigo // virtual time, enough to reconnect
				assert.Len(t, script.requests, 2)
			})
		})
	}
}

// TestEventSourceStopsAtAnEndlessResponse tests a stream whose handler forgot the content type.
func TestEventSourceStopsAtAnEndlessResponse(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		source := open(t, servePipes(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}), "http://pipe/")
		_, err := source.Next(testContext(t))
		var refused *ssestreamtest.ResponseError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, "data: x\n\n", refused.Body)
	})
}

func TestEventSourceFollowsRedirects(t *testing.T) {
	t.Parallel()

	paths := make(chan string, 4)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		paths <- r.URL.Path
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusMovedPermanently)

			return
		}
		stream(w, "id: 1\ndata: "+r.Header.Get("Last-Event-ID")+"\n\n")
	})
	source := open(t, server.Client(), server.URL+"/old", ssestreamtest.WithMaxWait(0))
	assert.Empty(t, next(t, source).Data)
	assert.Equal(t, "1", next(t, source).Data)
	assert.Equal(t, []string{"/old", "/new", "/old", "/new"}, []string{<-paths, <-paths, <-paths, <-paths})
}

// TestEventSourceEventsHaveTheIDOfEarlierConnections tests what format-field-id-2 of web-platform-tests requires.
func TestEventSourceEventsHaveTheIDOfEarlierConnections(t *testing.T) {
	t.Parallel()

	server := serve(t, newScript(respond("id: 1\ndata: x\n\n"), respondAndStay("data: y\n\n")).serve)
	source := open(t, server.Client(), server.URL, ssestreamtest.WithMaxWait(0))
	assert.Equal(t, ssestreamtest.Event{Type: "message", Data: "x", ID: "1"}, next(t, source))
	assert.Equal(t, ssestreamtest.Event{Type: "message", Data: "y", ID: "1"}, next(t, source))
}

func TestEventSourceOptions(t *testing.T) {
	t.Parallel()

	script := newScript(func(w http.ResponseWriter, r *http.Request) {
		stream(w, ":\n\ndata: "+r.Header.Get("X-Name")+" "+r.Header.Get("Accept")+"\n\n")
	})
	server := serve(t, script.serve)
	source := open(t, nil, server.URL, ssestreamtest.WithMaxWait(0), ssestreamtest.WithLastEventID("7"),
		ssestreamtest.WithHeader("X-Name", "y"))
	assert.Equal(t, "7", source.LastEventID())
	for i := range 2 {
		assert.Equal(t, "y text/event-stream", next(t, source).Data)
		assert.Equal(t, []string{"7"}, (<-script.requests).lastID)
		assert.GreaterOrEqual(t, source.Comments(), i+1)
	}
}

// TestEventSourceLastEventIDFollowsNext tests that LastEventID counts returned events and blocks without data, in order.
func TestEventSourceLastEventIDFollowsNext(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		source := open(t, servePipes(t, respondAndStay("id: 1\ndata: x\n\nid: 2\n\nid: 3\ndata: y\n\n")), "http://pipe/")
		synctest.Wait()
		assert.Empty(t, source.LastEventID())
		next(t, source)
		synctest.Wait()
		assert.Equal(t, "2", source.LastEventID())
		next(t, source)
		assert.Equal(t, "3", source.LastEventID())
	})
}

func TestEventSourceCloses(t *testing.T) {
	t.Parallel()

	for name, handler := range map[string]http.HandlerFunc{
		"open":            respondAndStay(""),
		"waiting":         respond(""),
		"with an event":   respondAndStay("data: x\n\n"),
		"without success": respondAndBreak(""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				source := open(t, servePipes(t, handler), "http://pipe/")
				synctest.Wait()
				require.NoError(t, source.Close())
				_, err := source.Next(t.Context())
				require.ErrorIs(t, err, ssestreamtest.ErrClosed)
				assert.Equal(t, ssestreamtest.StateClosed, source.ReadyState())

				ctx, cancel := context.WithCancelCause(t.Context())
				source = ssestreamtest.Open(ctx, servePipes(t, handler), "http://pipe/")
				synctest.Wait()
				cause := errors.New("enough")
				cancel(cause)
				synctest.Wait()
				_, err = source.Next(t.Context())
				require.ErrorIs(t, err, cause)
				require.NoError(t, source.Close())
			})
		})
	}
}

func TestEventSourceErrorNamesState(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		failing := &http.Client{Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no way") },
		}}
		source := open(t, failing, "http://pipe/")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := source.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "connecting, connections: 0")
		require.ErrorContains(t, err, "no way")
		assert.Equal(t, ssestreamtest.StateConnecting, source.ReadyState())
	})
}

func TestEventSourceRefusesABadURL(t *testing.T) {
	t.Parallel()

	source := open(t, nil, "http://a b/")
	_, err := source.Next(testContext(t))
	require.ErrorContains(t, err, "parse")
	assert.Equal(t, "closed", source.ReadyState().String())
}

func ExampleOpen() {
	// The handler ends its stream after each event, and continues after the event that the client has.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Last-Event-ID") {
		case "":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "retry: 10000\nid: 1\ndata: first\n\n")
		case "1":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "id: 2\ndata: second\n\n")
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer server.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	source := ssestreamtest.Open(ctx, server.Client(), server.URL, ssestreamtest.WithMaxWait(0))
	defer source.Close()
	for {
		event, err := source.Next(ctx)
		if refused, ok := errors.AsType[*ssestreamtest.ResponseError](err); ok {
			fmt.Println("stopped by", refused.StatusCode)

			break
		}
		fmt.Println(event.ID, event.Data, err)
	}
	fmt.Println(source.ReadyState(), source.Connections(), source.LastEventID(), source.Retry())
	// Output:
	// 1 first <nil>
	// 2 second <nil>
	// stopped by 204
	// closed 2 2 10s
}
