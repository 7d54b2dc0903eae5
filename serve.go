package feedmill

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// ListenAndServe listens on server.Addr and calls Serve.
func (a *App) ListenAndServe(ctx context.Context, server *http.Server) error {
	addr := server.Addr
	if addr == "" {
		addr = ":http"
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return a.Serve(ctx, server, listener)
}

// Serve runs the App and the server on listener until ctx ends or one of them fails. Then streams end and tell their
// clients when to reconnect, current requests are finished, and the App stops as described for Run. The server must not be
// used for anything else. For TLS, use a listener of tls.NewListener. The server's ReadTimeout bounds how long a command may
// take to send its body. Streams last beyond it.
func (a *App) Serve(ctx context.Context, server *http.Server, listener net.Listener) error {
	serving, stop := context.WithCancel(ctx)
	defer stop()
	running, stopRunning := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRunning()
	spare := &spareConns{next: server.ConnState}
	server.ConnState = spare.track
	server.RegisterOnShutdown(spare.close)
	next := server.ConnContext
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if next != nil {
			ctx = next(ctx, conn)
		}
		return a.router.ConnContext(ctx, conn)
	}

	var all parts
	all.run("app", func() error { return a.Run(running) }, stop)
	all.run("http server", func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}, stop)
	<-serving.Done()
	a.closeStopping()
	_ = a.router.Close() // Run returns the same error
	err := a.shutDown(ctx, server)
	stopRunning()
	all.Wait()
	return errors.Join(all.err(), err)
}

// shutDown lets the server finish its requests.
func (a *App) shutDown(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.config.CloseTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("shut the http server down: %w", err), server.Close())
	}
	return nil
}

// spareConns are connections that had no request yet. Browsers open some in advance, and http.Server.Shutdown would give
// each of them five seconds to bring one.
type spareConns struct {
	next func(net.Conn, http.ConnState)

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// track is a http.Server.ConnState.
func (s *spareConns) track(conn net.Conn, state http.ConnState) {
	if s.next != nil {
		s.next(conn, state)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.conns, conn)
	case s.closed:
		_ = conn.Close() // nothing was sent on it
	default:
		if s.conns == nil {
			s.conns = map[net.Conn]struct{}{}
		}
		s.conns[conn] = struct{}{}
	}
}

// close closes the connections, and those that are accepted later.
func (s *spareConns) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for conn := range s.conns {
		_ = conn.Close() // nothing was sent on it
	}
}
