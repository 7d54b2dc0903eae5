package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// settleTimeout limits the time until the feeds agree with the posts after the last change.
const settleTimeout = 30 * time.Second

// verify compares the accepted changes with the posts, and the posts with the feeds, until they agree.
func (t *test) verify(ctx context.Context) error {
	began := time.Now()
	var truth map[string]post
	var err error
	for {
		if truth, err = t.readPosts(ctx); err == nil {
			err = t.compareFeeds(ctx, truth)
		}
		if err == nil {
			break
		}
		if time.Since(began) > settleTimeout || !pause(ctx, 200*time.Millisecond) {
			return fmt.Errorf("posts and feeds do not agree after %s: %w", since(began), err)
		}
	}
	t.logf("verified %d accepted changes and %d posts: each post is in exactly the feeds of its tags, counts are exact (after %s)",
		t.posts.accepted, len(truth), since(began))
	return nil
}

// awaitEach waits until each stream of a path, or of all, shows a state that contains text.
func (t *test) awaitEach(ctx context.Context, path, text string) error {
	ctx, cancel := context.WithTimeout(ctx, recoveryTimeout)
	defer cancel()
	for _, f := range t.streams {
		if path != "" && f.path != path {
			continue
		}
		if err := f.await(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// verifyStreams waits until each stream shows the state of a GET, and checks that each has shown every post of its feed that was
// accepted and not changed since.
func (t *test) verifyStreams(ctx context.Context) error {
	began := time.Now()
	for _, f := range t.streams {
		for {
			err := f.agrees(ctx)
			if err == nil {
				break
			}
			if time.Since(began) > settleTimeout || !pause(ctx, 100*time.Millisecond) {
				return err
			}
		}
	}
	lasting, shown := map[string][]string{}, 0
	for _, r := range t.posts.all() {
		if r.Version == 1 && !r.deleted && !r.unsure {
			for _, name := range r.Tags {
				lasting["/api/feeds/"+name] = append(lasting["/api/feeds/"+name], r.ID)
			}
		}
	}
	for _, f := range t.streams {
		if ids := f.lacks(lasting[f.path]); len(ids) > 0 {
			return fmt.Errorf("a stream of %s has not shown %d of %d posts: %v", f.path, len(ids), len(lasting[f.path]), ids)
		}
		shown += len(lasting[f.path])
	}
	t.logf("each of %d streams went forward only, has shown every post of its feed (%d in all), and ended on the state of a GET",
		len(t.streams), shown)
	return nil
}

// readPosts reads all posts from the write model. It returns an error if one differs from the accepted one.
func (t *test) readPosts(ctx context.Context) (map[string]post, error) {
	truth := map[string]post{}
	var problems []error
	for _, r := range t.posts.all() {
		var now post
		status, err := t.client.get(ctx, "/api/posts/"+r.ID, &now)
		switch {
		case err != nil:
			return nil, err
		case status != http.StatusOK && status != http.StatusNotFound:
			return nil, fmt.Errorf("get post %s: status %d", r.ID, status)
		case status == http.StatusOK:
			truth[r.ID] = now
		}
		if problem := r.differs(status, now); problem != "" {
			problems = append(problems, fmt.Errorf("post %s %s", r.ID, problem))
		}
	}
	return truth, summary(problems)
}

// differs returns how the post differs from the accepted one, or "".
func (r record) differs(status int, now post) string {
	found := status == http.StatusOK
	switch {
	case r.unsure && found && now.Version < r.Version:
		return fmt.Sprintf("went back from version %d to %d", r.Version, now.Version)
	case r.unsure:
		return ""
	case r.deleted && found:
		return "was deleted but is there"
	case !r.deleted && !found:
		return "was accepted but is missing"
	case found && (now.Version != r.Version || !slices.Equal(now.Tags, r.Tags)):
		return fmt.Sprintf("has version %d with tags %v instead of version %d with %v", now.Version, now.Tags, r.Version, r.Tags)
	}
	return ""
}

// compareFeeds checks that each post is in exactly the feeds of its tags, in its present version, and that each count is
// the number of posts. A post whose POST failed may exist all the same; it is added to truth.
func (t *test) compareFeeds(ctx context.Context, truth map[string]post) error {
	list, err := t.client.feeds(ctx)
	if err != nil {
		return err
	}
	var problems []error
	where := map[string][]string{}
	for _, f := range list {
		count, posts, err := t.client.feed(ctx, f.Name)
		if err != nil {
			return err
		}
		if count != int64(len(posts)) || f.Posts != count {
			problems = append(problems, fmt.Errorf("feed %s has %d posts, counts %d, and the feed list says %d", f.Name, len(posts), count, f.Posts))
		}
		for _, p := range posts {
			where[p.ID] = append(where[p.ID], f.Name)
			now, err := t.current(ctx, truth, p.ID)
			if err != nil {
				return err
			}
			if now.Version != p.Version || !slices.Equal(now.Tags, p.Tags) {
				problems = append(problems, fmt.Errorf("feed %s shows version %d of post %s instead of %d", f.Name, p.Version, p.ID, now.Version))
			}
		}
	}
	for id, p := range truth {
		tags := slices.Sorted(slices.Values(p.Tags))
		feeds := slices.Sorted(slices.Values(where[id]))
		if !slices.Equal(tags, feeds) {
			problems = append(problems, fmt.Errorf("post %s with tags %v is in feeds %v", id, tags, feeds))
		}
	}
	return summary(problems)
}

// current returns a post of truth, or reads one that was not known to be accepted.
func (t *test) current(ctx context.Context, truth map[string]post, id string) (post, error) {
	if p, ok := truth[id]; ok {
		return p, nil
	}
	var p post
	status, err := t.client.get(ctx, "/api/posts/"+id, &p)
	if err == nil && status == http.StatusOK {
		truth[id] = p
	}
	return p, err
}

// summary joins the first problems.
func summary(problems []error) error {
	const limit = 10
	if n := len(problems); n > limit {
		problems = append(problems[:limit:limit], fmt.Errorf("and %d more", n-limit))
	}
	return errors.Join(problems...)
}
