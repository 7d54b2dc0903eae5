package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/feedmill/feedmill/examples/microblog/api"
)

const tags = 12

func someContent() string {
	words := make([]string, 0, 3)
	for _, n := range rand.Perm(tags)[:1+rand.IntN(3)] {
		words = append(words, fmt.Sprintf("#tag%d", n))
	}
	return strings.Join(append(words, "and", fmt.Sprint(rand.Int64())), " ")
}

// writer changes its own posts, one after the other. Of ten changes six create a post, three change its tags, and one deletes
// it.
type writer struct {
	name   string
	client *http.Client
	url    string
	ledger *ledger
	open   []*record // its posts that certainly exist
	made   int
}

// writeAll makes changes at the rate until ctx ends, and waits for the last responses. A change for which no writer is free is
// left out and counted.
func writeAll(ctx context.Context, client *http.Client, url string, rate, writers int, l *ledger) {
	tokens := make(chan struct{})
	var work sync.WaitGroup
	for n := range writers {
		w := &writer{name: fmt.Sprintf("w%d", n), client: client, url: url, ledger: l}
		work.Go(func() {
			for range tokens {
				w.change(context.WithoutCancel(ctx))
			}
		})
	}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	defer work.Wait()
	defer close(tokens)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case tokens <- struct{}{}:
		default:
			l.leftOut.Add(1)
		}
	}
}

func (w *writer) change(ctx context.Context) {
	n := rand.IntN(10)
	if n < 6 || len(w.open) == 0 {
		w.create(ctx, someContent())
		return
	}
	i := rand.IntN(len(w.open))
	r := w.open[i]
	if n < 9 {
		w.edit(ctx, r)
	} else {
		w.remove(ctx, r)
	}
	if r.maybe != nil || r.known.deleted {
		w.open[i] = w.open[len(w.open)-1]
		w.open = w.open[:len(w.open)-1]
	}
}

func (w *writer) create(ctx context.Context, content string) *record {
	w.made++
	r := &record{title: fmt.Sprintf("%s-%d", w.name, w.made), maybe: &state{version: 1, content: content}}
	w.ledger.add(r)
	var created api.Post
	if w.send(ctx, http.MethodPost, "/api/posts", http.StatusCreated,
		map[string]string{"title": r.title, "content": content, "author": w.name}, &created) {
		r.id, r.known, r.maybe = created.ID, state{created.Version, created.Content, false}, nil
		w.open = append(w.open, r)
	}
	return r
}

func (w *writer) edit(ctx context.Context, r *record) {
	content := someContent()
	r.maybe = &state{version: r.known.version + 1, content: content}
	var edited api.Post
	if w.send(ctx, http.MethodPatch, "/api/posts/"+r.id, http.StatusOK, map[string]string{"content": content}, &edited) {
		r.known, r.maybe = state{edited.Version, edited.Content, false}, nil
	}
}

func (w *writer) remove(ctx context.Context, r *record) {
	r.maybe = &state{version: r.known.version + 1, deleted: true}
	if w.send(ctx, http.MethodDelete, "/api/posts/"+r.id, http.StatusNoContent, nil, nil) {
		r.known, r.maybe = *r.maybe, nil
	}
}

// send reports whether the change was accepted. Otherwise its outcome is unknown: a 5xx may follow a commit too.
func (w *writer) send(ctx context.Context, method, path string, want int, body, into any) bool {
	began := time.Now()
	w.ledger.asked.Add(1)
	status, answer, err := request(ctx, w.client, method, w.url+path, body)
	took := time.Since(began)
	w.ledger.took(took)
	switch {
	case err != nil && took >= answerTimeout:
		w.ledger.refused("%s %s: no answer within %s", method, path, answerTimeout)
	case err == nil && status == want:
		if into == nil || json.Unmarshal(answer, into) == nil {
			w.ledger.accepted.Add(1)
			return true
		}
		w.ledger.refused("%s %s: %d %s", method, path, status, answer)
	case err == nil && status < http.StatusInternalServerError:
		w.ledger.refused("%s %s: %d %s", method, path, status, answer)
	}
	w.ledger.unknown.Add(1)
	return false
}

// request returns the status and the body. An error means that there was no complete response.
func request(ctx context.Context, client *http.Client, method, url string, body any) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	encoded, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(encoded))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}
