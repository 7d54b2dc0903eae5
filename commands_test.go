package feedmill_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// TestCommandsAreBoundedAndTraced: a command has a deadline, and its span continues the trace of the request, which its event
// gets from the context.
func TestCommandsAreBoundedAndTraced(t *testing.T) {
	t.Parallel()
	const traceID = "0102030405060708090a0b0c0d0e0f10"
	n := newNotes(t)
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	tags := n.add(t, newApp(t, feedmill.Config{Outbox: n.store.Outbox(), TracerProvider: provider}))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /notes", tags.Command(http.StatusCreated, func(_ http.ResponseWriter, r *http.Request) (cqrsfeed.Item[note], error) {
		deadline, bounded := r.Context().Deadline()
		assert.True(t, bounded)
		assert.InDelta(t, 10, time.Until(deadline).Seconds(), 5)
		assert.Equal(t, traceID, trace.SpanContextFromContext(r.Context()).TraceID().String())
		return n.repo.Create(r.Context(), "n1", note{Tag: "go"})
	}))
	id, err := trace.TraceIDFromHex(traceID)
	require.NoError(t, err)
	traced := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: id, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled,
	}))
	for _, status := range []int{http.StatusCreated, http.StatusConflict} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/notes", http.NoBody)
		request.Header.Set("Traceparent", "00-"+traceID+"-0102030405060708-01")
		if status == http.StatusConflict { // a middleware has begun a span, in a trace of its own
			request = request.WithContext(traced)
			request.Header.Set("Traceparent", "00-"+strings.Repeat("f", 32)+"-0102030405060708-01")
		}
		response := httptest.NewRecorder()
		mux.ServeHTTP(response, request)
		require.Equal(t, status, response.Code)
		require.Equal(t, status == http.StatusCreated, response.Header().Get(cqrsfeed.TokenHeader) != "")
	}
	for _, span := range spans.Ended() {
		require.Equal(t, "feedmill command", span.Name())
	}
	require.Len(t, spans.Ended(), 2)
}

// TestABodyThatDoesNotCome is refused, also where the server has no ReadTimeout.
func TestABodyThatDoesNotCome(t *testing.T) {
	t.Parallel()
	onConnection(t, func(r *http.Request) error {
		_, err := feedmill.ReadJSON[note](httptest.NewRecorder(), r, 1000)
		return err
	}, func(t *testing.T, request func(head string) (status int)) {
		t.Helper()
		began := time.Now()
		status := request("POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{")
		require.Equal(t, http.StatusRequestTimeout, status)
		require.Equal(t, 10*time.Second, time.Since(began))
	})
}

// TestASlowCommandLeavesItsConnection as it was: the next request on it is not cancelled.
func TestASlowCommandLeavesItsConnection(t *testing.T) {
	t.Parallel()
	onConnection(t, func(r *http.Request) error {
		if r.Method == http.MethodDelete {
			<-time.After(time.Minute)
		}
		return r.Context().Err()
	}, func(t *testing.T, request func(head string) (status int)) {
		t.Helper()
		status := request("DELETE / HTTP/1.1\r\n\r\n")
		require.Equal(t, http.StatusServiceUnavailable, status)
		status = request("GET / HTTP/1.1\r\n\r\n")
		require.Equal(t, http.StatusNoContent, status)
	})
}

// onConnection serves commands to one connection. request sends the beginning of a request after its first line.
func onConnection(t *testing.T, do func(r *http.Request) error, test func(t *testing.T, request func(head string) (status int))) {
	t.Helper()
	n := newNotes(t)
	command := n.add(t, newApp(t, feedmill.Config{Outbox: n.store.Outbox()})).Command(http.StatusNoContent,
		func(_ http.ResponseWriter, r *http.Request) (none cqrsfeed.Item[note], err error) { return none, do(r) })
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		listener := listener{make(chan net.Conn, 1), make(chan struct{})}
		listener.conns <- far
		server := &http.Server{Handler: command}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		responses := bufio.NewReader(near)
		test(t, func(head string) (status int) {
			line, rest, _ := strings.Cut(head, "\r\n")
			_, err := io.WriteString(near, line+"\r\nHost: example.com\r\n"+rest)
			require.NoError(t, err)
			response, err := http.ReadResponse(responses, nil)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			return response.StatusCode
		})
		require.NoError(t, near.Close())
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
}

// listener accepts the connections that it is sent, until it is closed.
type listener struct {
	conns  chan net.Conn
	closed chan struct{}
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l listener) Close() error {
	close(l.closed)
	return nil
}

// Addr implements net.Listener.
func (listener) Addr() net.Addr { return &net.UnixAddr{} }
