package api

import (
	"errors"
	"net/http"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/live"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/ssestream"
)

// maxBody is the largest body of a request, in bytes.
const maxBody = 64 << 10

// command returns the handler of a command. Its span tells what was written, for package live.
func (a *api) command(status int, do func(w http.ResponseWriter, r *http.Request) (item, error)) http.HandlerFunc {
	return a.feeds.Command(status, func(w http.ResponseWriter, r *http.Request) (item, error) {
		written, err := do(w, r)
		if err == nil {
			live.Committed(r.Context(), written)
		}
		return written, err
	})
}

// createPost handles POST /api/posts.
func (a *api) createPost(w http.ResponseWriter, r *http.Request) (item, error) {
	input, err := feedmill.ReadJSON[struct {
		Title   string `json:"title"`
		Content string `json:"content"`
		Author  string `json:"author"`
	}](w, r, maxBody)
	if err != nil {
		return item{}, err
	}
	return a.create(w, r, post.Post{Title: input.Title, Content: input.Content, Author: input.Author})
}

// generatePost handles POST /api/generate/post.
func (a *api) generatePost(w http.ResponseWriter, r *http.Request) (item, error) {
	return a.create(w, r, post.Random())
}

// create checks and stores a post.
func (a *api) create(w http.ResponseWriter, r *http.Request, p post.Post) (item, error) {
	p, err := p.Checked()
	if err != nil {
		return item{}, err
	}
	created, err := a.posts.Create(r.Context(), watermill.NewULID(), p)
	if err == nil {
		w.Header().Set("Location", "/api/posts/"+created.ID)
	}
	return created, err
}

// updatePost handles PATCH /api/posts/{id}. Fields that are absent stay.
func (a *api) updatePost(w http.ResponseWriter, r *http.Request) (item, error) {
	input, err := feedmill.ReadJSON[struct {
		Title   *string `json:"title"`
		Content *string `json:"content"`
	}](w, r, maxBody)
	if err != nil {
		return item{}, err
	}
	if input.Title == nil && input.Content == nil {
		return item{}, &ssestream.StatusError{
			Status: http.StatusUnprocessableEntity, Field: "body", Err: errors.New("has neither title nor content: there is nothing to change"),
		}
	}
	condition, err := cqrsfeed.IfMatch(r)
	if err != nil {
		return item{}, err
	}
	return a.posts.Update(r.Context(), r.PathValue("id"), func(p *post.Post) (err error) {
		*p, err = p.Edited(input.Title, input.Content)
		return err
	}, condition...)
}

// deletePost handles DELETE /api/posts/{id}.
func (a *api) deletePost(_ http.ResponseWriter, r *http.Request) (item, error) {
	condition, err := cqrsfeed.IfMatch(r)
	if err != nil {
		return item{}, err
	}
	return a.posts.Delete(r.Context(), r.PathValue("id"), condition...)
}
