package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	tags     = 40      // number of tags that the posts share: so many that a page shows what was written in a minute
	probeTag = "probe" // tag of the posts by which recovery is watched
)

func tag(n int) string { return fmt.Sprintf("tag%d", n) }

// randomTags returns one to three tags.
func randomTags() []string {
	some := make([]string, 0, 3)
	for _, n := range rand.Perm(tags)[:1+rand.IntN(3)] { //nolint:gosec // picking a test's tags needs no secrecy
		some = append(some, tag(n))
	}
	return some
}

func content(tags []string) string { return "With #" + strings.Join(tags, " #") }

// write changes posts at a steady rate until ctx ends, also while changes fail, and waits for the responses. Of ten
// changes seven create a post, two change its tags, and one deletes it.
func (t *test) write(ctx context.Context, rate int) {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	var changes sync.WaitGroup
	defer changes.Wait()
	lasting := context.WithoutCancel(ctx)
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changes.Go(func() {
			switch {
			case n%10 < 7:
				_, _ = t.create(lasting, randomTags()) // the ledger counts failures
			case n%10 < 9:
				t.edit(lasting)
			default:
				t.remove(lasting)
			}
		})
	}
}

// read reads feeds at a steady rate until ctx ends.
func (t *test) read(ctx context.Context, rate int) {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	var reads sync.WaitGroup
	defer reads.Wait()
	lasting := context.WithoutCancel(ctx)
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		path := "/api/feeds"
		if n%2 == 0 {
			path += "/" + tag(n%tags)
		}
		reads.Go(func() {
			began := time.Now()
			kind := ""
			if status, _, err := t.client.do(lasting, http.MethodGet, path, nil); err != nil || status != http.StatusOK {
				kind = "GET " + kindOf(status, err)
			}
			t.posts.answered(kind, time.Since(began))
		})
	}
}

// create creates a post. It returns an error if the post was not accepted.
func (t *test) create(ctx context.Context, tags []string) (post, error) {
	began := time.Now()
	status, body, err := t.client.do(ctx, http.MethodPost, "/api/posts",
		map[string]string{"title": "A post", "content": content(tags), "author": "composetest"})
	if err != nil || status != http.StatusCreated {
		kind := kindOf(status, err)
		t.posts.answered("POST "+kind, time.Since(began))
		return post{}, fmt.Errorf("POST: %s %s", kind, body)
	}
	var created post
	if err := json.Unmarshal(body, &created); err != nil || !slices.Equal(created.Tags, tags) {
		t.posts.answered("POST 201 with a wrong body", time.Since(began))
		return post{}, fmt.Errorf("POST: wrong body %s", body)
	}
	t.posts.created(created)
	t.posts.answered("", time.Since(began))
	return created, nil
}

// edit changes the tags of a post.
func (t *test) edit(ctx context.Context) {
	r := t.posts.claim()
	if r == nil {
		return
	}
	began := time.Now()
	tags := randomTags()
	status, body, err := t.client.do(ctx, http.MethodPatch, "/api/posts/"+r.ID, map[string]string{"content": content(tags)})
	var edited post
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal(body, &edited)
	}
	if err != nil || status != http.StatusOK {
		t.posts.answered("PATCH "+kindOf(status, err), time.Since(began))
		t.posts.uncertain(r)
		return
	}
	t.posts.answered("", time.Since(began))
	t.posts.changed(r, func(r *record) { r.post = edited })
}

// remove deletes a post.
func (t *test) remove(ctx context.Context) {
	r := t.posts.claim()
	if r == nil {
		return
	}
	began := time.Now()
	status, _, err := t.client.do(ctx, http.MethodDelete, "/api/posts/"+r.ID, nil)
	if err != nil || status != http.StatusNoContent {
		t.posts.answered("DELETE "+kindOf(status, err), time.Since(began))
		t.posts.uncertain(r)
		return
	}
	t.posts.answered("", time.Since(began))
	t.posts.changed(r, func(r *record) { r.deleted = true })
}
