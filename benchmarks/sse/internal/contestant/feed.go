//go:build linux

package contestant

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
)

// First is the number of a feed's first state. All numbers of a run have as many digits, so that all states have the
// same length.
const First = 1_000_000_000

// State is the value that clients follow. The number is last in its JSON, so that a client that has read the number has
// read the whole state.
type State struct {
	Text string `json:"text"`
	N    int64  `json:"n"`
}

// Feed is the feed of a contestant, in memory. It counts its loads. It is safe for concurrent use.
type Feed struct {
	text  string
	n     atomic.Int64
	loads atomic.Int64
}

// NewFeed returns a feed whose states have size bytes of JSON.
func NewFeed(size int) (*Feed, error) {
	empty, err := json.Marshal(State{N: First})
	if err != nil {
		return nil, fmt.Errorf("encode empty state: %w", err)
	}
	if size < len(empty) {
		return nil, fmt.Errorf("make feed: states of %d bytes are too small, the minimum is %d", size, len(empty))
	}
	feed := &Feed{text: strings.Repeat("x", size-len(empty))}
	feed.n.Store(First)

	return feed, nil
}

// Load returns the feed's state. The name is ignored.
func (f *Feed) Load(context.Context, string) (State, error) {
	f.loads.Add(1)

	return State{Text: f.text, N: f.n.Load()}, nil
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
func (f *Feed) Next() int64 { return f.n.Add(1) }

// Loads returns how often the feed was loaded.
func (f *Feed) Loads() int64 { return f.loads.Load() }

func digits(n int64) string { return strconv.FormatInt(n, 10) }
