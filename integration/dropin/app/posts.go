package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

const (
	topicPostCreated = "post-created"
	topicPostUpdated = "post-updated"
	topicFeedUpdated = "feed-updated"
)

// post is what people write.
type post struct {
	ID    string   `json:"id"    xml:"id"`
	Title string   `json:"title" xml:"title"`
	Text  string   `json:"text"  xml:"text"`
	Tags  []string `json:"tags"  xml:"tags"`
}

// postEvent is a change of a post. A new post has no state before.
type postEvent struct {
	Before post `json:"before"`
	Post   post `json:"post"`
}

// postStore has the posts by ID.
type postStore struct {
	mu    sync.Mutex
	posts map[string]post
}

func newPostStore() *postStore { return &postStore{posts: map[string]post{}} }

func (s *postStore) add(p post) post {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.ID = strconv.Itoa(len(s.posts) + 1)
	s.posts[p.ID] = p
	return p
}

func (s *postStore) find(id string) (post, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.posts[id]
	return p, ok
}

func (s *postStore) replace(p post) (before post, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, ok = s.posts[p.ID]
	if ok {
		s.posts[p.ID] = p
	}
	return before, ok
}

// api accepts what people write.
type api struct {
	posts     *postStore
	publisher message.Publisher
}

func (a api) create(w http.ResponseWriter, r *http.Request) {
	p, ok := read(w, r)
	if !ok {
		return
	}
	p = a.posts.add(p)
	if a.publish(w, topicPostCreated, postEvent{Post: p}) {
		w.Header().Set("Location", "/api/posts/"+p.ID)
		answer(w, http.StatusCreated, p)
	}
}

func (a api) update(w http.ResponseWriter, r *http.Request) {
	p, ok := read(w, r)
	if !ok {
		return
	}
	p.ID = r.PathValue("id")
	before, ok := a.posts.replace(p)
	if !ok {
		answer(w, http.StatusNotFound, problem{Error: "there is no such post", ID: p.ID})
		return
	}
	if a.publish(w, topicPostUpdated, postEvent{Before: before, Post: p}) {
		answer(w, http.StatusOK, p)
	}
}

func (a api) publish(w http.ResponseWriter, topic string, event any) bool {
	payload, err := json.Marshal(event)
	if err == nil {
		err = a.publisher.Publish(topic, message.NewMessage(watermill.NewUUID(), payload))
	}
	if err != nil {
		answer(w, http.StatusInternalServerError, problem{Error: err.Error()})
	}
	return err == nil
}

func read(w http.ResponseWriter, r *http.Request) (post, bool) {
	var p post
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
		answer(w, http.StatusBadRequest, problem{Error: "this is no post"})
		return p, false
	}
	slices.Sort(p.Tags)
	p.Tags = slices.Compact(p.Tags)
	return p, true
}

type problem struct {
	Error string `json:"error"`
	ID    string `json:"id,omitempty"`
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the peer may be gone
}
