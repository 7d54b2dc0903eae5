package rebuild_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

const (
	allWriters   = 3
	allReaders   = 2 // of each kind
	framesAtOnce = 20
)

// crowd writes to a microblog, reads its pages and follows them. It fails the test if a page is empty or goes back.
type crowd struct {
	fleet                  *fleet
	written, read, watched atomic.Int64
}

// gather starts the crowd. disperse stops it, as does the end of the test.
func gather(t *testing.T, f *fleet) (c *crowd, disperse func()) {
	t.Helper()
	c = &crowd{fleet: f}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var people sync.WaitGroup
	begin := func(do func(context.Context) error) {
		people.Go(func() {
			if err := do(ctx); err != nil && ctx.Err() == nil {
				assert.NoError(t, err)
			}
		})
	}
	for n := range allWriters {
		begin(func(ctx context.Context) error { return c.write(ctx, fmt.Sprintf("Writer %d", n)) })
	}
	for range allReaders {
		begin(c.readPages)
		begin(c.follow)
	}
	var once sync.Once
	disperse = func() { once.Do(func() { cancel(); people.Wait() }) }
	t.Cleanup(disperse)
	return c, disperse
}

// goOn waits until writers, readers and followers have made progress.
func (c *crowd) goOn(t *testing.T) {
	t.Helper()
	const more = 25
	written, read, watched := c.written.Load(), c.read.Load(), c.watched.Load()
	require.Eventually(t, func() bool {
		return t.Failed() || c.written.Load() >= written+more && c.read.Load() >= read+more && c.watched.Load() >= watched+more
	}, patience, tick, "they make no progress")
	require.False(t, t.Failed(), "a reader or writer failed")
}

// write creates and edits posts, one after the other. It awaits each in the feeds of all instances, so that no more are
// under way than a read can carry tokens for.
func (c *crowd) write(ctx context.Context, author string) error {
	var own []api.Post
	for n := 0; ctx.Err() == nil; n++ {
		method, path, want := http.MethodPost, "/api/posts", http.StatusCreated
		body := map[string]string{"title": "A title", "author": author, "content": fmt.Sprintf("#all #live%d, the %dth", n%7, n)}
		edited := -1
		if n%3 == 2 {
			edited = rand.IntN(len(own))
			method, path, want = http.MethodPatch, "/api/posts/"+own[edited].ID, http.StatusOK
			delete(body, "author")
		}
		a, err := c.fleet.ask(context.WithoutCancel(ctx), method, path, body)
		if err != nil || a.status != want {
			return fmt.Errorf("%s %s: %d %s, %w", method, path, a.status, a.body, err)
		}
		var p api.Post
		if err := json.Unmarshal(a.body, &p); err != nil {
			return err
		}
		if edited >= 0 {
			own[edited] = p
		} else {
			own = append(own, p)
		}
		if err := c.await(ctx, a.header.Get(cqrsfeed.TokenHeader)); err != nil {
			return err
		}
		c.written.Add(1)
	}
	return nil
}

// await waits until all serving instances show a write.
func (c *crowd) await(ctx context.Context, token string) error {
	for _, i := range c.fleet.all() {
		for pending := true; pending; {
			a, err := c.fleet.send(ctx, i, http.MethodGet, "/api/feeds/all", nil, []string{token})
			if err != nil && !c.fleet.serves(i) {
				break
			}
			if err != nil {
				return err
			}
			if a.status != http.StatusOK && c.fleet.serves(i) {
				return fmt.Errorf("await: %d %s", a.status, a.body)
			}
			pending = a.header.Get(cqrsfeed.PendingHeader) != "" && c.fleet.serves(i)
		}
	}
	return nil
}

// readPages reads a page again and again, at any instance.
func (c *crowd) readPages(ctx context.Context) error {
	var seen view
	for ctx.Err() == nil {
		a, err := c.fleet.ask(ctx, http.MethodGet, "/api/feeds/all", nil, seen.tokens()...)
		if err != nil {
			return err
		}
		if a.status != http.StatusOK {
			return fmt.Errorf("read: %d %s", a.status, a.body)
		}
		if a.header.Get(cqrsfeed.PendingHeader) != "" {
			continue // the answer says that it may lack something
		}
		if err := seen.take(a.body); err != nil {
			return fmt.Errorf("reader: %w", err)
		}
		c.read.Add(1)
	}
	return nil
}

// follow follows a page at one instance after the other.
func (c *crowd) follow(ctx context.Context) error {
	var seen view
	for ctx.Err() == nil {
		all := c.fleet.all()
		i := all[rand.IntN(len(all))]
		stream, err := ssestreamtest.Connect(ctx, c.fleet.client,
			i.url+"/api/feeds/all?"+url.Values{cqrsfeed.TokenParameter: seen.tokens()}.Encode())
		if err != nil {
			if c.fleet.serves(i) {
				return err
			}
			continue
		}
		err = c.watch(ctx, stream, &seen)
		if err = errors.Join(err, stream.Close()); err != nil {
			return fmt.Errorf("follower: %w", err)
		}
	}
	return nil
}

// watch reads some states of a stream, or all until it ends.
func (c *crowd) watch(ctx context.Context, stream *ssestreamtest.Stream, seen *view) error {
	if stream.Header().Get(cqrsfeed.PendingHeader) != "" {
		return nil
	}
	for range framesAtOnce {
		event, err := stream.Next(ctx)
		if err != nil {
			return nil //nolint:nilerr // the instance was withdrawn; otherwise the next connection fails
		}
		if err := seen.take([]byte(event.Data)); err != nil {
			return err
		}
		c.watched.Add(1)
	}
	return nil
}

// view is what a reader has seen of the feed "all", which no post leaves.
type view struct {
	versions map[string]int64
	posts    []api.Post // of all pages, by their last version
	recent   []cqrsfeed.Token
}

// tokens returns the tokens of the changes that were seen last.
func (v *view) tokens() []string {
	texts := make([]string, len(v.recent))
	for i, token := range v.recent {
		texts[i] = token.String()
	}
	return texts
}

// take compares a page with those before it.
func (v *view) take(body []byte) error {
	var page api.FeedPage
	if err := json.Unmarshal(body, &page); err != nil {
		return fmt.Errorf("%w: %s", err, body)
	}
	if page.Name != "all" || page.Count == 0 || len(page.Posts) == 0 {
		return fmt.Errorf("an empty page: %s", body)
	}
	shown := make(map[string]int64, len(page.Posts))
	for _, p := range page.Posts {
		shown[p.ID] = p.Version
	}
	oldest := page.Posts[len(page.Posts)-1].CreatedAt
	for _, known := range v.posts {
		version, there := shown[known.ID]
		if !there && known.CreatedAt.After(oldest) {
			return fmt.Errorf("post %s is gone", known.ID)
		}
		if there && version < v.versions[known.ID] {
			return fmt.Errorf("post %s went back from version %d to %d", known.ID, v.versions[known.ID], version)
		}
	}
	if v.versions == nil {
		v.versions = make(map[string]int64)
	}
	for _, p := range page.Posts {
		before, known := v.versions[p.ID]
		if !known {
			v.posts = append(v.posts, p)
		}
		if p.Version > before {
			v.versions[p.ID] = p.Version
			v.recent = append(v.recent, cqrsfeed.Token{Kind: "post", ID: p.ID, Version: p.Version})
		}
	}
	v.recent = v.recent[max(0, len(v.recent)-limits.MaxTokens):]
	return nil
}
