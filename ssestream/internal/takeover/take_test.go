package takeover_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/internal/takeover"
)

// TestNetHTTPIsAsExpected fails loudly when a new version of Go renames what Take looks for in net/http. Streams still
// work then, but none is taken over: adapt wroteHeader to the new names.
func TestNetHTTPIsAsExpected(t *testing.T) {
	t.Parallel()
	type answer struct{ before, after, ok bool }
	answers := make(chan answer, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var a answer
		a.before, a.ok = takeover.WroteHeader(w)
		w.WriteHeader(http.StatusNoContent)
		a.after, _ = takeover.WroteHeader(w)
		answers <- a
	}))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	require.NoError(t, err)
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	got := <-answers
	require.True(t, got.ok, "net/http's response has another name, or no field wroteHeader of type bool, or no field w that is a *bufio.Writer")
	assert.False(t, got.before, "the field is true before the header is written")
	assert.True(t, got.after, "the field is false after the header was written")

	_, ok := takeover.WroteHeader(httptest.NewRecorder())
	assert.False(t, ok, "another writer")
}

// TestContextsThatEndThemselves are waited for. That of a hijacked connection's request is not, unless the fields of net/http's
// contexts have other names now: then each client costs more memory.
func TestContextsThatEndThemselves(t *testing.T) {
	t.Parallel()
	asItIs := func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }
	valued := func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithValue(ctx, key{}, 1), func() {}
	}
	for name, test := range map[string]struct {
		base       context.Context //nolint:containedctx // a test case
		connection func(context.Context, net.Conn) context.Context
		middleware func(context.Context) (context.Context, context.CancelFunc)
		ends       bool
	}{
		"of a test":         {t.Context(), nil, asItIs, true},
		"of the background": {context.Background(), nil, asItIs, false},
		"with values":       {context.Background(), nil, valued, false},
		"of middleware":     {context.Background(), nil, context.WithCancel, true},
		"with a connection": {context.Background(), withValue, asItIs, false},
		"that a server cancels": {context.Background(), func(ctx context.Context, _ net.Conn) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			t.Cleanup(cancel)

			return ctx
		}, asItIs, true},
	} {
		ends := make(chan bool, 1)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := test.middleware(r.Context())
			defer cancel()
			ends <- takeover.EndsItself(w, r.WithContext(ctx))
		}))
		server.Config.BaseContext = func(net.Listener) context.Context { return test.base }
		server.Config.ConnContext = test.connection
		server.Start()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
		require.NoError(t, err)
		response, err := server.Client().Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, test.ends, <-ends, name)
		server.Close()
	}
}

// TestAlone is who net/http calls, directly or by a ServeMux or a Before: unless its functions have other names now, which costs
// each client more memory.
func TestAlone(t *testing.T) {
	t.Parallel()
	handler := make(takeover.AloneHandler, 1)
	mux := http.NewServeMux()
	mux.Handle("GET /", handler)
	around := func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }
	base := context.WithValue(context.Background(), key{}, 1)
	for name, test := range map[string]struct {
		handler http.Handler
		alone   bool
	}{
		"a server":   {handler, true},
		"a mux":      {mux, true},
		"middleware": {http.HandlerFunc(around), false},
		"Before":     {ssestream.Before(func(http.ResponseWriter, *http.Request) http.Handler { return mux }), true},
	} {
		server := httptest.NewUnstartedServer(test.handler)
		server.Config.BaseContext = func(net.Listener) context.Context { return base }
		server.Start()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
		require.NoError(t, err)
		response, err := server.Client().Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		ctx := <-handler
		assert.Equal(t, test.alone, ctx != nil, name)
		if ctx != nil {
			assert.Equal(t, 1, ctx.Value(key{}), "the context of the server")
		}
		server.Close()
	}
}

type key struct{}

func withValue(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, key{}, conn)
}
