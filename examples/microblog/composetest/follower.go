package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// reconnectPause is how long a follower waits before it connects again.
const reconnectPause = 500 * time.Millisecond

// follower follows one stream as a page does: it reconnects when the connection ends.
type follower struct {
	client *client
	path   string

	mu       sync.Mutex
	state    string
	changed  chan struct{} // closed at the next state
	connects int
}

func newFollower(c *client, path string) *follower {
	return &follower{client: c, path: path, changed: make(chan struct{})}
}

func (f *follower) run(ctx context.Context) {
	for ctx.Err() == nil {
		_ = f.connect(ctx) // it reconnects after any error
		pause(ctx, reconnectPause)
	}
}

func (f *follower) connect(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.client.url+f.path, http.NoBody)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Accept", "text/event-stream")
	response, err := f.client.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("follow %s: status %d", f.path, response.StatusCode)
	}
	f.mu.Lock()
	f.connects++
	f.mu.Unlock()
	const longest = 16 << 20
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, longest)
	for lines.Scan() {
		if state, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: ")); ok {
			f.set(string(state))
		}
	}
	return lines.Err()
}

func (f *follower) set(state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = state
	close(f.changed)
	f.changed = make(chan struct{})
}

// await waits until the stream shows a state that contains text.
func (f *follower) await(ctx context.Context, text string) error {
	for {
		f.mu.Lock()
		state, changed := f.state, f.changed
		f.mu.Unlock()
		if strings.Contains(state, text) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the stream of %s does not show %s: %w", f.path, text, context.Cause(ctx))
		}
	}
}

func (f *follower) connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.connects
}

// agrees returns an error unless the stream's last state is that of a plain GET.
func (f *follower) agrees(ctx context.Context) error {
	status, body, err := f.client.do(ctx, http.MethodGet, f.path, nil)
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("get %s: %s", f.path, kindOf(status, err))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != string(body) {
		return fmt.Errorf("the stream of %s ends on another state than GET: %.300s instead of %.300s", f.path, f.state, body)
	}
	return nil
}
