//go:build linux

package contestant

import (
	"context"
	"net/http"
	"sync"

	"github.com/starfederation/datastar-go/datastar"
)

// datastarGo is a handler of starfederation/datastar-go with its compression, by its defaults: a compressor for each client.
// The SDK leaves the sharing to the application, so this has one encoding of the state for all.
type datastarGo struct {
	http.Handler
	feed *Feed

	mu      sync.Mutex
	current string
	changed chan struct{} // closed by the next change
}

func newDatastar(ctx context.Context, feed *Feed) (Contestant, error) {
	d := &datastarGo{feed: feed, changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{feed}", d.follow)
	d.Handler = mux

	return d, d.announce(ctx)
}

func (d *datastarGo) follow(w http.ResponseWriter, r *http.Request) {
	stream := datastar.NewSSE(w, r, datastar.WithCompression())
	for r.Context().Err() == nil {
		state, changed := d.state()
		if stream.Send("data", []string{state}) != nil {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
		}
	}
}

func (d *datastarGo) state() (string, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()

	return d.current, d.changed
}

// Announce wakes all handlers.
func (d *datastarGo) Announce() error { return d.announce(context.Background()) }

func (d *datastarGo) announce(ctx context.Context) error {
	_, encoded, err := d.feed.loadJSON(ctx)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.current = string(encoded)
	close(d.changed)
	d.changed = make(chan struct{})

	return nil
}

// EventID returns none.
func (*datastarGo) EventID(int64) string { return "" }
