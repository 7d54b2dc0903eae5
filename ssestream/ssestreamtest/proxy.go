package ssestreamtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"
)

// Faults are what a [Proxy] does to its connections. The zero value is a network without faults.
type Faults struct {
	// Refuse resets new connections at once. Open connections go on.
	Refuse bool
	// Stall accepts connections but forwards nothing in either direction, neither bytes nor the end of a
	// connection. A server's writes first fill about 150 KiB of the proxy, then the send buffer of its own socket,
	// and then block. On Linux that buffer grows to 4 MiB. A test can bound it by SetWriteBuffer of the
	// net.TCPConn, in the ConnContext of its http.Server.
	Stall bool
	// CutAfter cuts every connection, as Cut does, after this many bytes from the server, and at once if more have
	// passed already. All bytes count: response headers, chunk sizes, TLS records. 0 means never.
	CutAfter int64
}

// Proxy is a TCP proxy on loopback between clients and a server, with [Faults] that a test sets. It only moves bytes, so
// it works with HTTP/1.1, HTTP/2 and TLS. It makes one connection to the server for each connection of a client, and
// forwards how either side ends. Its methods are safe for concurrent use.
//
// To give clients different networks, start a proxy for each.
type Proxy struct {
	target   *url.URL
	listener net.Listener
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	changes  changes // of faults

	mu     sync.Mutex
	faults Faults
	links  map[*link]struct{}
}

// StartProxy starts a proxy to the server at target, a URL such as that of an httptest.Server. Its path is ignored. The
// proxy runs until Close is called. The caller must call Close in any case.
func StartProxy(target string) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("start proxy: %w", err)
	}
	if u.Port() == "" {
		return nil, fmt.Errorf("start proxy: target %q has no port", target)
	}
	ctx, cancel := context.WithCancel(context.Background())
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		cancel()

		return nil, fmt.Errorf("start proxy: %w", err)
	}
	p := &Proxy{target: u, listener: listener, cancel: cancel, links: map[*link]struct{}{}}
	p.wg.Go(func() { p.accept(ctx) })

	return p, nil
}

// URL returns the URL of the server's root through the proxy, without a trailing slash.
func (p *Proxy) URL() string { return p.target.Scheme + "://" + p.listener.Addr().String() }

// Set replaces the faults, also of open connections. Bytes that are being written meanwhile still pass.
func (p *Proxy) Set(faults Faults) {
	p.mu.Lock()
	p.faults = faults
	p.mu.Unlock()
	p.changes.notify()
	for _, l := range p.open() {
		l.cutIfDue(faults)
	}
}

// Cut ends all open connections with a FIN, as a server does that shuts down in order: clients receive all forwarded
// bytes, and then the end. The server sees the end as well.
func (p *Proxy) Cut() {
	for _, l := range p.open() {
		l.cut()
	}
}

// Reset ends all open connections with a RST on both sides, as a failing process or network does.
func (p *Proxy) Reset() {
	for _, l := range p.open() {
		l.reset()
	}
}

// Strand stops forwarding on all open connections, in both directions, neither bytes nor their end, as when a firewall
// has forgotten them. They stay so, whatever the faults are, until Cut, Reset or Close ends them. New connections are
// not affected.
func (p *Proxy) Strand() {
	for _, l := range p.open() {
		l.stranded.Store(true)
	}
}

// Close resets all connections, accepts no new ones, and waits for all goroutines. It may be called more than once.
func (p *Proxy) Close() error {
	p.cancel()
	err := p.listener.Close()
	p.Reset()
	p.wg.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close proxy: %w", err)
	}

	return nil
}

func (p *Proxy) accept(ctx context.Context) {
	for ctx.Err() == nil {
		conn, err := p.listener.Accept()
		client, ok := conn.(*net.TCPConn)
		if err != nil || !ok {
			retryAccept(ctx)

			continue
		}
		l := newLink(p, client)
		if p.currentFaults().Refuse || !p.add(ctx, l) {
			l.reset()

			continue
		}
		p.wg.Go(func() {
			defer p.remove(l)
			l.run(ctx)
		})
	}
}

// retryAccept waits before the next Accept, because the process may lack file descriptors.
func retryAccept(ctx context.Context) {
	select {
	case <-time.After(5 * time.Millisecond):
	case <-ctx.Done():
	}
}

// add adds the connection to the open ones. It reports false if the proxy is closed.
func (p *Proxy) add(ctx context.Context, l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	p.links[l] = struct{}{}

	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

func (p *Proxy) open() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}

	return links
}

func (p *Proxy) currentFaults() Faults {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.faults
}
