//go:build linux

package contestant

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// First is the number of a feed's first state. All numbers of a run have as many digits, so that all states have the
// same length.
const First = 1_000_000_000

// PostSize is the size of a post in bytes of JSON, about that of a post of 60 words. A state has as many posts as fit.
const PostSize = 540

// State is the value that clients follow: a page of posts, the newest first. The number is last in its JSON, so that a client
// that has read the number has read the whole state.
type State struct {
	Feed  string `json:"feed"`
	Posts []Post `json:"posts"`
	N     int64  `json:"n"`
}

// Post is one of the posts on a page. All posts of a feed are equally long.
type Post struct {
	ID      string `json:"id"`
	Author  string `json:"author"`
	Likes   int    `json:"likes"` // has three digits
	Created int64  `json:"created"`
	Text    string `json:"text"`
}

// Change is how a state differs from the one before.
type Change string

// The changes.
const (
	NewPost  Change = "post"  // a post comes, and the oldest goes
	NewCount Change = "count" // the likes of a post in the middle grow
)

// Feed is the feed of a contestant, in memory. It counts its loads. It is safe for concurrent use.
type Feed struct {
	change Change
	text   int // bytes of a post's text
	words  []string
	loads  atomic.Int64

	mu    sync.Mutex
	made  uint64 // posts
	state State
}

// NewFeed returns a feed whose states have size bytes of JSON.
func NewFeed(size int, change Change) (*Feed, error) {
	if change != NewPost && change != NewCount {
		return nil, fmt.Errorf("make feed: unknown change %q", change)
	}
	f := &Feed{change: change, words: vocabulary(), state: State{N: First, Posts: make([]Post, max(1, size/PostSize))}}
	for i := range f.state.Posts {
		f.state.Posts[i] = f.post()
	}
	empty, err := json.Marshal(f.state)
	if err != nil {
		return nil, fmt.Errorf("encode empty state: %w", err)
	}
	if size < len(empty) {
		return nil, fmt.Errorf("make feed: states of %d bytes are too small, the minimum is %d", size, len(empty))
	}
	f.text = (size - len(empty)) / len(f.state.Posts)
	f.state.Feed = strings.Repeat("x", (size-len(empty))%len(f.state.Posts))
	for i := range f.state.Posts {
		f.state.Posts[i] = f.post()
	}

	return f, nil
}

// post makes a post of words of which some are frequent, as in a language.
func (f *Feed) post() Post {
	f.made++
	r := rand.New(rand.NewPCG(f.made, 0)) //nolint:gosec // G404: a text need not be a secret
	word := func() string { return f.words[int(float64(len(f.words))*r.Float64()*r.Float64())] }
	var text strings.Builder
	for text.Len() < f.text {
		text.WriteString(word() + " ")
	}

	return Post{
		ID: fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()), Author: fmt.Sprintf("%.4s%04d", word()+"xxxx", r.IntN(10_000)),
		Likes: 100 + r.IntN(900), Created: 1_700_000_000 + int64(f.made)*37, Text: text.String()[:f.text], //nolint:gosec // G115: small
	}
}

func vocabulary() []string {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // G404: a word need not be a secret
	words := make([]string, 2_000)
	for i := range words {
		letters := make([]byte, 2+r.IntN(8))
		for j := range letters {
			letters[j] = "abcdefghijklmnopqrstuvwxyz"[r.IntN(26)]
		}
		words[i] = string(letters)
	}

	return words
}

// Load returns the feed's state. The name is ignored.
func (f *Feed) Load(context.Context, string) (State, error) {
	f.loads.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()

	return f.state, nil
}

// loadJSON is Load for the contestants that take encoded events.
func (f *Feed) loadJSON(ctx context.Context) (n int64, encoded []byte, err error) {
	state, err := f.Load(ctx, "")
	if err != nil {
		return 0, nil, err
	}
	encoded, err = json.Marshal(state)
	if err != nil {
		return 0, nil, fmt.Errorf("encode state %d: %w", state.N, err)
	}

	return state.N, encoded, nil
}

// Next changes the state and returns its number, which grows by one.
func (f *Feed) Next() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	posts := slices.Clone(f.state.Posts) // Others may be reading the former ones.
	if f.change == NewCount {
		middle := &posts[len(posts)/2]
		middle.Likes = 100 + (middle.Likes-99)%900
	} else {
		copy(posts[1:], posts)
		posts[0] = f.post()
	}
	f.state.Posts = posts
	f.state.N++

	return f.state.N
}

// Loads returns how often the feed was loaded.
func (f *Feed) Loads() int64 { return f.loads.Load() }

func digits(n int64) string { return strconv.FormatInt(n, 10) }
