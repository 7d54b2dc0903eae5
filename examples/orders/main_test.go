package main

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestAPageFollowsItsOrder: a stream shows the order as it is and then each change, and no order is a 404.
func TestAPageFollowsItsOrder(t *testing.T) {
	t.Parallel()
	o, err := open(t.Context(), filepath.Join(t.TempDir(), "orders.db"))
	require.NoError(t, err)
	defer o.db.Close()
	app, handler, err := newApp(o)
	require.NoError(t, err)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- app.Serve(ctx, &http.Server{Handler: handler}, listener) }()
	base := "http://" + listener.Addr().String()

	put := func(state string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, base+"/orders/7",
			strings.NewReader(url.Values{"state": {state}}.Encode()))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)
	}
	response, err := http.Get(base + "/orders/7")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusNotFound, response.StatusCode)

	put("paid")
	stream, err := ssestreamtest.Connect(t.Context(), nil, base+"/orders/7")
	require.NoError(t, err)
	event, err := stream.Next(t.Context())
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":"7","state":"paid"}`, event.Data)
	put("sent")
	event, err = stream.Next(t.Context())
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":"7","state":"sent"}`, event.Data)
	stop()
	require.NoError(t, <-stopped)
	require.NoError(t, stream.Close())
}
