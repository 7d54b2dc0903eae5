//go:build linux

package contestant

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// Recording is what a connection to [Feedmill] received. [Floor] repeats it.
type Recording struct {
	N        int64  // number of the state in both
	Response []byte // from the response's header to the end of the first event
	Update   []byte // the bytes of an update
}

// at returns recorded bytes with the state's number replaced. All numbers have as many digits.
func (r Recording) at(recorded []byte, n int64) []byte {
	return bytes.ReplaceAll(recorded, []byte(digits(r.N)), []byte(digits(n)))
}

// floor does the least that a server can do. It takes over the connections, and one loop writes the bytes of feedmill to
// each of them by one system call. It reads nothing, notices that a client has left by a failed write, and drops a
// client that cannot take a whole update at once.
type floor struct {
	http.Handler
	feed      *Feed
	recording Recording

	mu      sync.Mutex
	clients []taken
}

// taken is a connection that was taken over. Its descriptor is valid until it is closed.
type taken struct {
	conn net.Conn
	fd   int
}

func newFloor(feed *Feed, recording Recording) (Contestant, error) {
	if len(recording.Response) == 0 || len(recording.Update) == 0 {
		return nil, errors.New("start floor: the recording is empty")
	}
	f := &floor{feed: feed, recording: recording}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{feed}", f.follow)
	f.Handler = mux

	return f, nil
}

func (f *floor) follow(w http.ResponseWriter, r *http.Request) {
	client, err := takeOver(w)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)

		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	state, err := f.feed.Load(r.Context(), r.PathValue("feed"))
	if err == nil {
		err = client.write(f.recording.at(f.recording.Response, state.N))
	}
	if err != nil {
		_ = client.conn.Close() // The client sees that it ends.

		return
	}
	f.clients = append(f.clients, client)
}

func takeOver(w http.ResponseWriter) (taken, error) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return taken{}, fmt.Errorf("take over connection: %w", err)
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return taken{}, errors.Join(fmt.Errorf("take over connection: %T is not a *net.TCPConn", conn), conn.Close())
	}
	client := taken{conn: conn}
	raw, err := tcp.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { client.fd = int(fd) })
	}
	if err != nil {
		return taken{}, errors.Join(fmt.Errorf("take over connection: %w", err), conn.Close())
	}

	return client, nil
}

// write does not block: the descriptor is non-blocking.
func (c taken) write(p []byte) error {
	n, err := syscall.Write(c.fd, p)
	if err == nil && n < len(p) {
		err = syscall.EAGAIN
	}

	return err
}

// Announce writes the state to all clients, one after the other.
func (f *floor) Announce() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, err := f.feed.Load(context.Background(), "")
	if err != nil {
		return err
	}
	update := f.recording.at(f.recording.Update, state.N)
	kept := f.clients[:0]
	for _, client := range f.clients {
		if client.write(update) != nil {
			_ = client.conn.Close() // It has left, or does not read.

			continue
		}
		kept = append(kept, client)
	}
	clear(f.clients[len(kept):])
	f.clients = kept

	return nil
}

// EventID returns what feedmill sends.
func (f *floor) EventID(n int64) string { return formerID(n) }
