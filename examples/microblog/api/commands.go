package api

import (
	"net/http"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// createPost handles POST /api/posts.
func (a *API) createPost(w http.ResponseWriter, r *http.Request) error {
	input, err := decodeBody[struct {
		Title   string `json:"title"`
		Content string `json:"content"`
		Author  string `json:"author"`
	}](w, r)
	if err != nil {
		return err
	}
	p, err := post.New(input.Title, input.Content, input.Author)
	if err != nil {
		return err
	}
	return a.create(w, r, p)
}

// generatePost handles POST /api/generate/post.
func (a *API) generatePost(w http.ResponseWriter, r *http.Request) error {
	p, err := post.Random()
	if err != nil {
		return err
	}
	return a.create(w, r, p)
}

func (a *API) create(w http.ResponseWriter, r *http.Request, p post.Post) error {
	item, err := a.posts.Create(r.Context(), watermill.NewULID(), p)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/posts/"+item.ID)
	writePost(w, http.StatusCreated, item)
	return nil
}

// updatePost handles PATCH /api/posts/{id}. The id is the path's alone; fields that are absent stay.
func (a *API) updatePost(w http.ResponseWriter, r *http.Request) error {
	input, err := decodeBody[struct {
		Title   *string `json:"title"`
		Content *string `json:"content"`
	}](w, r)
	if err != nil {
		return err
	}
	if input.Title == nil && input.Content == nil {
		return refuse(http.StatusUnprocessableEntity, "body", "has neither title nor content: there is nothing to change")
	}
	id, err := postID(r)
	if err != nil {
		return err
	}
	conditions, err := a.ifMatch(r.Context(), r, id)
	if err != nil {
		return err
	}
	item, err := a.posts.Update(r.Context(), id, func(p *post.Post) error {
		edited, err := p.Edited(input.Title, input.Content)
		if err == nil {
			*p = edited
		}
		return err
	}, conditions...)
	if err != nil {
		return err
	}
	writePost(w, http.StatusOK, item)
	return nil
}

// deletePost handles DELETE /api/posts/{id}.
func (a *API) deletePost(w http.ResponseWriter, r *http.Request) error {
	id, err := postID(r)
	if err != nil {
		return err
	}
	conditions, err := a.ifMatch(r.Context(), r, id)
	if err != nil {
		return err
	}
	item, err := a.posts.Delete(r.Context(), id, conditions...)
	if err != nil {
		return err
	}
	cqrsfeed.SetToken(w.Header(), item.Token("post"))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// postID is the id in the request's path.
func postID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if err := cqrsfeed.ValidateID(id); err != nil {
		return "", refuse(http.StatusBadRequest, "id", "cannot name a post: %v", err)
	}
	return id, nil
}

func writePost(w http.ResponseWriter, status int, item cqrsfeed.Item[post.Post]) {
	w.Header().Set("ETag", etag(item.Version))
	cqrsfeed.SetToken(w.Header(), item.Token("post"))
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, status, "application/json", viewPost(item))
}
