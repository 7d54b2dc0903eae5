package stage

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/rs/cors"
)

// AllowOrigin is the CORS middleware of docs/streams.md, for pages of that origin.
func AllowOrigin(origin string) *cors.Cors {
	return cors.New(cors.Options{
		AllowedOrigins: []string{origin},
		AllowedHeaders: []string{"Last-Event-ID"},
	})
}

// Request is what a server records of a request.
type Request struct {
	Method, Origin, LastEventID, Preflight string // Preflight is the headers that are asked for
}

// Server serves the handler of a stage at /stream.
type Server struct {
	URL string

	listener *listener
	mu       sync.Mutex
	requests []Request
}

// Serve serves the handler until the test ends.
func Serve(tb testing.TB, handler http.Handler) *Server {
	tb.Helper()
	s := &Server{}
	mux := http.NewServeMux()
	mux.Handle("/stream", handler)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.note(r)
		mux.ServeHTTP(w, r)
	}))
	s.listener = &listener{Listener: server.Listener}
	server.Listener = s.listener
	server.Start()
	tb.Cleanup(server.Close)
	s.URL = server.URL + "/stream"
	return s
}

func (s *Server) note(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, Request{
		r.Method, r.Header.Get("Origin"), r.Header.Get("Last-Event-ID"), r.Header.Get("Access-Control-Request-Headers"),
	})
}

// Requests returns the requests with a method so far.
func (s *Server) Requests(method string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var requests []Request
	for _, r := range s.requests {
		if r.Method == method {
			requests = append(requests, r)
		}
	}
	return requests
}

// Cut cuts all connections, as a network does.
func (s *Server) Cut() { s.listener.cut() }

// listener knows the connections that it has accepted.
type listener struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

// Accept keeps the connection for cut.
func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.conns = append(l.conns, conn)
	}
	return conn, err //nolint:wrapcheck // a plain wrapper
}

func (l *listener) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		_ = conn.Close() // the peer may have been faster
	}
	l.conns = nil
}
