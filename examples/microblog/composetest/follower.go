package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// follower follows one stream as a page does, by an EventSource. It checks what it is sent.
type follower struct {
	client *client
	path   string
	source *ssestreamtest.EventSource

	mu       sync.Mutex
	state    string
	changed  chan struct{} // closed at the next state
	revision int64         // of the feed, if it follows one
	seen     map[string]bool
	problem  error // what was wrong first
}

// follow starts to follow. close ends it.
func (c *client) follow(ctx context.Context, path string) *follower {
	f := &follower{client: c, path: path, changed: make(chan struct{}), seen: map[string]bool{}}
	f.source = ssestreamtest.Open(ctx, c.http, c.url+path)
	return f
}

// run reads what comes until ctx ends.
func (f *follower) run(ctx context.Context) {
	defer f.source.Close()
	for {
		event, err := f.source.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			f.fail(fmt.Errorf("the stream of %s has ended: %w", f.path, err))
			return
		}
		if event.Type == "data" {
			f.set(event.Data)
		}
	}
}

func (f *follower) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failLocked(err)
}

func (f *follower) failLocked(err error) {
	if f.problem == nil {
		f.problem = err
	}
	f.wakeLocked()
}

func (f *follower) wakeLocked() {
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *follower) set(state string) {
	var page struct {
		Revision int64  `json:"revision"`
		Posts    []post `json:"posts"`
	}
	err := json.Unmarshal([]byte(state), &page)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err != nil:
		f.failLocked(fmt.Errorf("the stream of %s has sent %.300s: %w", f.path, state, err))
	case page.Revision < f.revision:
		f.failLocked(fmt.Errorf("the stream of %s went back from revision %d to %d", f.path, f.revision, page.Revision))
	}
	f.state, f.revision = state, page.Revision
	for _, p := range page.Posts {
		f.seen[p.ID] = true
	}
	f.wakeLocked()
}

// await waits until the stream shows a state that contains text.
func (f *follower) await(ctx context.Context, text string) error {
	for {
		f.mu.Lock()
		state, problem, changed := f.state, f.problem, f.changed
		f.mu.Unlock()
		if problem != nil {
			return problem
		}
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

// agrees returns an error unless the stream's last state is that of a plain GET.
func (f *follower) agrees(ctx context.Context) error {
	status, body, err := f.client.do(ctx, http.MethodGet, f.path, nil)
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("get %s: %s", f.path, kindOf(status, err))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.problem == nil && f.state != string(body) {
		return fmt.Errorf("the stream of %s ends on another state than GET: %.300s instead of %.300s", f.path, f.state, body)
	}
	return f.problem
}

// lacks returns which of the posts the stream has never shown.
func (f *follower) lacks(posts []string) (ids []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range posts {
		if !f.seen[id] {
			ids = append(ids, id)
		}
	}
	return ids
}
