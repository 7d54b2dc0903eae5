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

// Faults is what a [Proxy] does to its connections. The zero value is a network without faults.
type Faults struct {
	// Refuse resets new connections as soon as they are there. Those that are open go on.
	Refuse bool
	// Stall takes connections but passes nothing on, in either direction, neither bytes nor the end of a
	// connection. What a server writes then fills up some 150 KiB here, then its own socket's send buffer, and
	// then its writes block. On Linux that buffer grows to 4 MiB unless the server bounds it, which it can for a
	// test in its http.Server's ConnContext, with SetWriteBuffer of the net.TCPConn.
	Stall bool
	// CutAfter cuts every connection, as Cut does, when this many bytes from the server have come through it, and
	// at once where more have. It counts what is on the wire: response headers, chunk sizes, TLS records. 0 is
	// never.
	CutAfter int64
	// BytesPerSecond is how fast bytes from the server come through, on each connection. 0 is without limit.
	BytesPerSecond int
}

// Proxy is a TCP proxy on loopback between clients and a server, a network that a test can spoil. As it does no
// more than to move bytes, it fits HTTP/1.1, HTTP/2 and TLS alike. It connects to the server once for every client
// that connects to it, and passes on how either side ends. Its methods are safe for concurrent use.
//
// For some clients to have a bad network while others have a good one, put a proxy before each.
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

// StartProxy starts a proxy to the server at target, a URL such as httptest.Server's, of which scheme, host and port
// count. It runs until Close is called, which has to be called in any case.
func StartProxy(target string) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("start proxy: %w", err)
	}
	if u.Port() == "" {
		return nil, fmt.Errorf("start proxy: no port in %q", target)
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

// URL answers the URL of the server's root through the proxy, without a slash at the end.
func (p *Proxy) URL() string { return p.target.Scheme + "://" + p.listener.Addr().String() }

// Set replaces the faults. Connections that are open have them as well, from the next byte on: what is being
// written at that moment still comes through.
func (p *Proxy) Set(faults Faults) {
	p.mu.Lock()
	p.faults = faults
	p.mu.Unlock()
	p.changes.tell()
	for _, l := range p.open() {
		l.cutIfDue(faults)
	}
}

// Cut ends all connections that are open now with a FIN, as a proxy or a server does that goes away in order:
// clients get all that was passed on, and then the end. The server gets the end as well.
func (p *Proxy) Cut() {
	for _, l := range p.open() {
		l.cut()
	}
}

// Reset ends all connections that are open now with a RST on both sides, as a process or a network that fails.
func (p *Proxy) Reset() {
	for _, l := range p.open() {
		l.reset()
	}
}

// Strand leaves all connections that are open now to themselves: nothing passes on them any more, in either
// direction, neither bytes nor their end, as when a firewall has forgotten them. That lasts for as long as they do,
// whatever the faults are; Cut, Reset and Close end them. Connections that come later are as good as the faults let
// them be.
func (p *Proxy) Strand() {
	for _, l := range p.open() {
		l.stranded.Store(true)
	}
}

// Close resets all connections, takes no new ones, and waits until nothing of the proxy is left. It may be called
// more than once.
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
		if p.now().Refuse || !p.add(ctx, l) {
			l.reset()

			continue
		}
		p.wg.Go(func() {
			defer p.remove(l)
			l.run(ctx)
		})
	}
}

// retryAccept gives the process time to have file descriptors again.
func retryAccept(ctx context.Context) {
	select {
	case <-time.After(5 * time.Millisecond):
	case <-ctx.Done():
	}
}

// add says whether the proxy still runs. If so, the connection is one of those that are open.
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

func (p *Proxy) now() Faults {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.faults
}
