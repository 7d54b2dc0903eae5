package proxies_test

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

const (
	topic = "changed"
	// hanging is a key whose state never loads.
	hanging = "hanging"
)

// state is what the streams show.
type state struct{ Text string }

// site is a router and its states.
type site struct {
	http.Handler

	router *ssestream.Router
	mu     *sync.Mutex
	states map[string]string
}

// newSite runs a router until the test ends or its Close is called.
func newSite(t *testing.T, config ssestream.RouterConfig) *site {
	t.Helper()
	return newSiteOf(t, config, false)
}

// newSiteOf is newSite of a router that may compress streams.
func newSiteOf(t *testing.T, config ssestream.RouterConfig, compress bool) *site {
	t.Helper()
	config.Resync = ssestream.Off
	config.Retry = 100 * time.Millisecond
	config.DrainWindow = 100 * time.Millisecond
	router, err := ssestream.NewRouter(config, watermill.NopLogger{})
	require.NoError(t, err)
	s := &site{router: router, mu: &sync.Mutex{}, states: map[string]string{}}
	adapter, err := ssestream.AdapterBuilder[string, state]{
		RequestKey: func(r *http.Request) (string, error) { return r.PathValue("key"), nil },
		EventKeys:  func(key string) []string { return []string{key} },
		Decode:     func(msg *message.Message) (string, error) { return string(msg.Payload), nil },
		Load:       s.load,
		Compress:   compress,
	}.Build()
	require.NoError(t, err)
	several, err := router.AddStreamsHandler(ssestream.Stream{Pattern: "state:{key}", Topics: []string{topic}, Adapter: adapter})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/states/{key}", router.AddHandler(topic, adapter))
	mux.Handle("/streams", several)
	s.Handler = mux

	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	t.Cleanup(func() {
		assert.NoError(t, router.Close())
		assert.NoError(t, <-ended)
	})
	<-router.Running()
	return s
}

func (s *site) load(ctx context.Context, key string) (state, error) {
	if key == hanging {
		<-ctx.Done()
		return state{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return state{Text: s.states[key]}, nil
}

// set changes the state of a key.
func (s *site) set(t *testing.T, key, text string) {
	t.Helper()
	s.mu.Lock()
	s.states[key] = text
	s.mu.Unlock()
	require.NoError(t, s.router.Publish(topic, message.NewMessage(watermill.NewUUID(), message.Payload(key))))
}

// app is a server that a proxy in a container reaches. Sites are mounted while it runs.
type app struct {
	*http.ServeMux

	port   int
	asked  atomic.Bool // whether a request for /ready has come
	server *http.Server
	ended  chan error

	mu          sync.Mutex
	connections []*net.TCPConn
}

// startApp serves on the port of all addresses, 0 for any port, until the test ends or stop is called.
func startApp(t *testing.T, port int) *app {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.WithoutCancel(t.Context()), "tcp", ":"+strconv.Itoa(port))
	require.NoError(t, err)
	address, ok := listener.Addr().(*net.TCPAddr)
	require.True(t, ok)
	a := &app{ServeMux: http.NewServeMux(), port: address.Port, ended: make(chan error, 1)}
	a.HandleFunc("/ready", func(http.ResponseWriter, *http.Request) { a.asked.Store(true) })
	a.server = &http.Server{Handler: a, ReadHeaderTimeout: 5 * time.Second, ConnState: a.note}
	go func() { a.ended <- a.server.Serve(listener) }()
	t.Cleanup(func() { a.stop(t) })
	return a
}

// mount serves the handler below a path of its own, which it returns.
func (a *app) mount(handler http.Handler) string {
	prefix := "/" + watermill.NewShortUUID()
	a.Handle(prefix+"/", http.StripPrefix(prefix, handler))
	return prefix
}

// wrapped calls the handler with an http.ResponseWriter that is not net/http's own.
func wrapped(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(wrapper{w}, r) })
}

type wrapper struct{ http.ResponseWriter }

// Unwrap is for http.ResponseController.
func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// url returns the address of the app without a proxy.
func (a *app) url() string { return "http://127.0.0.1:" + strconv.Itoa(a.port) }

func (a *app) note(conn net.Conn, to http.ConnState) {
	if tcp, ok := conn.(*net.TCPConn); ok && to == http.StateNew {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.connections = append(a.connections, tcp)
	}
}

// kill ends the server and resets all connections, as the end of a process does.
func (a *app) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, a.server.Close())
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, conn := range a.connections {
		_ = conn.SetLinger(0) // it may be closed
		_ = conn.Close()
	}
}

// stop ends the server. The streams are the router's to end, by its Close.
func (a *app) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
	defer cancel()
	require.NoError(t, a.server.Shutdown(ctx))
	assert.ErrorIs(t, <-a.ended, http.ErrServerClosed)
	a.ended <- http.ErrServerClosed // for whoever stops it again
}
