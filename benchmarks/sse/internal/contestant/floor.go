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

// Recording is what a connection to [Feedmill] received, for [Floor] to repeat.
type Recording struct {
	N        int64  // the number of the state in both
	Response []byte // the response's header and all up to the end of the first event
	Update   []byte // what an update adds
}

// at returns recorded bytes with the state's number replaced. All numbers have as many digits.
func (r Recording) at(recorded []byte, n int64) []byte {
	return bytes.ReplaceAll(recorded, []byte(digits(r.N)), []byte(digits(n)))
}

// floor is the least that a server can do: it takes over the connections and has one loop write to one after the
// other the bytes that feedmill would, by one system call each. It reads nothing, notices a client that has left
// by a failed write, and drops a client that cannot take a whole update at once.
type floor struct {
	http.Handler
	feed      *Feed
	recording Recording

	mu      sync.Mutex
	clients []taken
}

// taken is a connection that was taken over. Its descriptor is good for as long as it is not closed.
type taken struct {
	conn net.Conn
	fd   int
}

func newFloor(feed *Feed, recording Recording) (Contestant, error) {
	if len(recording.Response) == 0 || len(recording.Update) == 0 {
		return nil, errors.New("start floor: nothing was recorded that it could repeat")
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
		_ = client.conn.Close() // It was never followed; its peer sees it end.

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
		return taken{}, errors.Join(fmt.Errorf("take over connection: it is a %T", conn), conn.Close())
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

// write does not wait: the descriptor is a non-blocking one.
func (c taken) write(p []byte) error {
	n, err := syscall.Write(c.fd, p)
	if err == nil && n < len(p) {
		err = syscall.EAGAIN
	}

	return err
}

// Announce writes the state to one client after the other.
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

// EventID is what feedmill sends.
func (f *floor) EventID(n int64) string { return digits(n) }
