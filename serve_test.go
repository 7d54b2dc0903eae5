package feedmill_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/ssestream"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// serving is an App that serves.
type serving struct {
	site

	addr  string
	stop  context.CancelFunc
	ended chan error
}

func serve(t *testing.T, app *feedmill.App, handler http.Handler) *serving {
	t.Helper()
	listener := listen(t)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &serving{
		site: site{"http://" + listener.Addr().String(), &http.Client{Transport: &http.Transport{}}},
		addr: listener.Addr().String(), stop: stop, ended: make(chan error, 1),
	}
	t.Cleanup(func() {
		stop()
		s.client.CloseIdleConnections()
	})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() { s.ended <- app.Serve(ctx, server, listener) }()
	<-app.Running()
	return s
}

// refuses reports whether the server takes no connections any more.
func (s *serving) refuses() bool {
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", s.addr)
	return err != nil || conn.Close() != nil
}

func TestAStopEndsStreamsAndFinishesRequests(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	tags := n.add(t, app)
	entered, release := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{tag}", tags.Handler("tag"))
	mux.HandleFunc("POST /notes", func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		item, err := n.repo.Create(r.Context(), "n1", note{Tag: "go"})
		tags.Reply(w, r, http.StatusCreated, item, err)
	})
	s := serve(t, app, mux)
	stream := s.follow(t, "/feeds/go")
	next[notePage](t, stream)
	status := make(chan int, 1)
	go func() {
		response, err := s.client.Post(s.url+"/notes", "", nil)
		if assert.NoError(t, err) {
			assert.NoError(t, response.Body.Close())
			status <- response.StatusCode
		}
	}()
	<-entered

	s.stop()
	soon, cancel := context.WithTimeout(t.Context(), patience/4)
	defer cancel()
	_, err := stream.Next(soon)
	if !errors.Is(err, io.EOF) {
		close(release)
		require.Fail(t, "streams must end first", err)
	}
	require.Eventually(t, s.refuses, patience, 5*time.Millisecond)
	close(release)
	require.Equal(t, http.StatusCreated, <-status)
	require.NoError(t, within(s.ended))
	_, err = n.repo.Get(t.Context(), "n1")
	require.NoError(t, err)
}

// TestAStopDoesNotWaitForUnusedConnections, which browsers open in advance.
func TestAStopDoesNotWaitForUnusedConnections(t *testing.T) {
	t.Parallel()
	stop := func() time.Duration {
		app := newApp(t, feedmill.Config{Outbox: newNotes(t).store.Outbox()})
		s := serve(t, app, http.NotFoundHandler())
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.addr)
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		require.Equal(t, http.StatusNotFound, s.get(t, "/").status, "a connection that came later is served")
		start := time.Now()
		s.stop()
		require.NoError(t, within(s.ended))

		return time.Since(start)
	}
	fastest := stop()
	for range 4 { // A machine may pause. http.Server.Shutdown alone takes five seconds each time.
		if fastest >= 3*time.Second {
			fastest = min(fastest, stop())
		}
	}
	require.Less(t, fastest, 3*time.Second)
}

func TestServeFailsWithItsListener(t *testing.T) {
	t.Parallel()
	listener := listen(t)
	app := newApp(t, feedmill.Config{Outbox: newNotes(t).store.Outbox()})
	err := app.ListenAndServe(t.Context(), &http.Server{Addr: listener.Addr().String(), ReadHeaderTimeout: time.Second})
	require.ErrorContains(t, err, "address already in use")
	require.NoError(t, listener.Close())
	err = app.Serve(t.Context(), &http.Server{ReadHeaderTimeout: time.Second}, listener)
	require.ErrorContains(t, err, "http server")
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestReady(t *testing.T) {
	t.Parallel()
	outcome := make(chan error, 1)
	check := func(context.Context) error { return <-outcome }
	app := newApp(t, feedmill.Config{Outbox: newNotes(t).store.Outbox(), Checks: []func(context.Context) error{check}})
	require.ErrorContains(t, app.Ready(t.Context()), "not running")
	stop := run(t, app)
	outcome <- nil
	require.NoError(t, app.Ready(t.Context()))
	down := errors.New("reach mysql at db:3306: connection refused")
	outcome <- down
	require.ErrorIs(t, app.Ready(t.Context()), down)
	probe := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		app.ServeReady(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", http.NoBody))
		return w
	}
	outcome <- down
	refused := probe()
	require.Equal(t, http.StatusServiceUnavailable, refused.Code)
	require.Contains(t, refused.Body.String(), "reach mysql", "it says what is missing")
	outcome <- nil
	require.Equal(t, http.StatusOK, probe().Code)
	stop()
	require.ErrorContains(t, app.Ready(t.Context()), "stopping")
}

// TestReadyNamesStatesThatCannotBeSent, which are no reason to take the instance out of service.
func TestReadyNamesStatesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	app := newApp(t, feedmill.Config{
		Outbox: newNotes(t).store.Outbox(), Router: ssestream.RouterConfig{MaxFrameBytes: 10},
	})
	adapter, err := ssestream.AdapterBuilder[struct{}, string]{
		RequestKey: func(*http.Request) (string, error) { return "large", nil },
		EventKeys:  func(struct{}) []string { return nil },
		Load:       func(context.Context, string) (string, error) { return strings.Repeat("x", 100), nil },
	}.Build()
	require.NoError(t, err)
	server := httptest.NewServer(app.Handle(adapter, "large-changed"))
	t.Cleanup(server.Close)
	run(t, app)
	stream, err := ssestreamtest.Connect(t.Context(), server.Client(), server.URL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = stream.Close() })
	require.Eventually(t, func() bool {
		w := httptest.NewRecorder()
		app.ServeReady(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", http.NoBody))
		return w.Code == http.StatusOK && strings.Contains(w.Body.String(), `"large" of large-changed`)
	}, patience, time.Millisecond)
}

// TestAStopBeforeTheStart is a stop like any other.
func TestAStopBeforeTheStart(t *testing.T) {
	t.Parallel()
	for range 20 {
		app := newApp(t, feedmill.Config{Outbox: newNotes(t).store.Outbox()})
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, app.Serve(ctx, &http.Server{Handler: http.NotFoundHandler()}, listener))
	}
}

func TestReplies(t *testing.T) {
	t.Parallel()
	n := newNotes(t, cqrsfeed.CheckFeeds(tagOf))
	app := newApp(t, feedmill.Config{Outbox: n.store.Outbox()})
	tags := n.add(t, app)
	item := n.create(t, "n1", "go")
	reply := func(ctx context.Context, status int, item cqrsfeed.Item[note], err error) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		tags.Reply(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/notes", http.NoBody), status, item, err)
		return w
	}

	created := reply(t.Context(), http.StatusCreated, item, nil)
	assert.Equal(t, http.StatusCreated, created.Code)
	assert.Equal(t, item, decode[cqrsfeed.Item[note]](t, created.Body.String()))
	assert.Equal(t, `"1"`, created.Header().Get("ETag"))
	assert.Equal(t, item.Token("note").String(), created.Header().Get(cqrsfeed.TokenHeader))
	deleted := reply(t.Context(), http.StatusNoContent, item, nil)
	assert.Equal(t, http.StatusNoContent, deleted.Code)
	assert.Empty(t, deleted.Body.String())
	assert.NotEmpty(t, deleted.Header().Get(cqrsfeed.TokenHeader))

	_, exists := n.repo.Create(t.Context(), "n1", note{Tag: "go"})
	_, invalid := n.repo.Create(t.Context(), "n2", note{Tag: strings.Repeat("x", 257)})
	_, missing := n.repo.Get(t.Context(), "n3")
	_, conflict := n.repo.Delete(t.Context(), "n1", cqrsfeed.IfVersion(7))
	for err, want := range map[error]struct {
		status int
		detail string
	}{
		exists: {409, "item exists already"}, invalid: {400, "invalid argument"}, missing: {404, "item not found"},
		conflict: {412, "item has another version"}, errDeaf: {500, ""}, context.DeadlineExceeded: {503, ""},
	} {
		refused := reply(t.Context(), http.StatusCreated, cqrsfeed.Item[note]{}, err)
		assert.Equal(t, want.status, refused.Code, err)
		problem := decode[struct{ Detail string }](t, refused.Body.String())
		assert.True(t, strings.HasPrefix(problem.Detail, want.detail), problem.Detail)
		assert.Equal(t, want.detail == "", problem.Detail == "")
		assert.Empty(t, refused.Header().Get(cqrsfeed.TokenHeader))
	}

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Empty(t, reply(gone, http.StatusCreated, item, errDeaf).Body.String(), "there is nobody to answer")
}
