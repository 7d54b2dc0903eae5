package mysqlstore_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// cuttingProxy stands between a client and a server and cuts the connection at a COMMIT: either before the
// server gets it, or when the server has answered it.
type cuttingProxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu     sync.Mutex
	cuts   int  // how many are to come
	answer bool // whether the server gets the COMMIT of the next one
}

// startProxy returns a proxy in front of dsn's server, and the DSN that goes through it.
func startProxy(t *testing.T, dsn string) (*cuttingProxy, string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &cuttingProxy{listener: listener}
	through := withSettings(t, dsn, func(c *mysql.Config) {
		p.target, c.Addr = c.Addr, listener.Addr().String()
	})
	p.running.Go(p.serve)
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		p.running.Wait()
	})
	return p, through
}

// cutAtCommit cuts at the next COMMIT.
func (p *cuttingProxy) cutAtCommit(answer bool) { p.cutAtCommits(1, answer) }

// cutAtCommits cuts at the next COMMITs, one before the server has it and one before its answer in turn.
func (p *cuttingProxy) cutAtCommits(n int, answer bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cuts, p.answer = n, answer
}

func (p *cuttingProxy) next() (cut, answer bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cuts == 0 {
		return false, false
	}
	p.cuts--
	answer = p.answer
	p.answer = !answer
	return true, answer
}

func (p *cuttingProxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.forward(client) })
	}
}

func (p *cuttingProxy) forward(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	quiet := make(chan struct{}) // closed when the answer is to be kept from the client
	answered := make(chan struct{})
	p.running.Go(func() {
		defer client.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			select {
			case <-quiet:
				close(answered)
				return
			default:
			}
			if err != nil {
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	})
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.HasSuffix(buffer[:n], []byte("\x03COMMIT")) {
			if cut, answer := p.next(); cut {
				if answer {
					close(quiet)
					_, _ = server.Write(buffer[:n])
					<-answered
				}
				return
			}
		}
		if _, err := io.Copy(server, bytes.NewReader(buffer[:n])); err != nil {
			return
		}
	}
}
