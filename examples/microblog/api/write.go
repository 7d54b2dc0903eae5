package api

import (
	"net/http"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/live"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// maxBody is the largest body of a request, in bytes.
const maxBody = 64 << 10

// command returns the handler of a command. Its span tells what was written, for package live.
func (a *api) command(
	status int, do func(w http.ResponseWriter, r *http.Request) (cqrsfeed.Item[post.Post], error),
) http.HandlerFunc {
	return a.feeds.Command(status, func(w http.ResponseWriter, r *http.Request) (cqrsfeed.Item[post.Post], error) {
		item, err := do(w, r)
		if err == nil {
			live.Committed(r.Context(), item)
		}
		return item, err
	})
}

// createPost handles POST /api/posts.
func (a *api) createPost(w http.ResponseWriter, r *http.Request) (none cqrsfeed.Item[post.Post], err error) {
	input, err := feedmill.ReadJSON[struct {
		Title   string `json:"title"`
		Content string `json:"content"`
		Author  string `json:"author"`
	}](w, r, maxBody)
	if err != nil {
		return none, err
	}
	p, err := post.New(input.Title, input.Content, input.Author)
	return a.create(w, r, p, err)
}

// generatePost handles POST /api/generate/post.
func (a *api) generatePost(w http.ResponseWriter, r *http.Request) (cqrsfeed.Item[post.Post], error) {
	p, err := post.Random()
	return a.create(w, r, p, err)
}

// create stores a post unless it was refused.
func (a *api) create(w http.ResponseWriter, r *http.Request, p post.Post, refused error) (none cqrsfeed.Item[post.Post], err error) {
	if refused != nil {
		return none, refused
	}
	item, err := a.posts.Create(r.Context(), watermill.NewULID(), p)
	if err == nil {
		w.Header().Set("Location", "/api/posts/"+item.ID)
	}
	return item, err
}

// updatePost handles PATCH /api/posts/{id}. Fields that are absent stay.
func (a *api) updatePost(w http.ResponseWriter, r *http.Request) (none cqrsfeed.Item[post.Post], err error) {
	input, err := feedmill.ReadJSON[struct {
		Title   *string `json:"title"`
		Content *string `json:"content"`
	}](w, r, maxBody)
	if err != nil {
		return none, err
	}
	if input.Title == nil && input.Content == nil {
		return none, refuse(http.StatusUnprocessableEntity, "body", "has neither title nor content: there is nothing to change")
	}
	id, condition, err := target(r)
	if err != nil {
		return none, err
	}
	return a.posts.Update(r.Context(), id, func(p *post.Post) (err error) {
		*p, err = p.Edited(input.Title, input.Content)
		return err
	}, condition...)
}

// deletePost handles DELETE /api/posts/{id}.
func (a *api) deletePost(_ http.ResponseWriter, r *http.Request) (none cqrsfeed.Item[post.Post], err error) {
	id, condition, err := target(r)
	if err != nil {
		return none, err
	}
	return a.posts.Delete(r.Context(), id, condition...)
}

// target returns which post a request changes, and the versions that it may have.
func target(r *http.Request) (id string, condition []cqrsfeed.ChangeOption, err error) {
	if id, err = postID(r); err != nil {
		return "", nil, err
	}
	condition, err = cqrsfeed.IfMatch(r)
	return id, condition, err
}
