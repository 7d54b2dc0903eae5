package operate

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/internal/panics"
)

// State is the JSON that a Handler serves. Sections that the application does not have are missing. Error is the reason why a
// part of a section could not be read.
type State struct {
	Title    string    `json:"title"`
	Instance string    `json:"instance"`
	Time     time.Time `json:"time"`

	Outbox      *OutboxState      `json:"outbox,omitempty"`
	Projections []ProjectionState `json:"projections,omitempty"`
	ReadModels  []ReadModelState  `json:"read_models,omitempty"`
	Poison      *PoisonState      `json:"poison,omitempty"`
	Streams     *StreamsState     `json:"streams,omitempty"`
}

// OutboxState is what the outbox holds, and a part of its parked messages.
type OutboxState struct {
	outbox.Backlog

	Messages []HeldMessage `json:"messages"`
	// Next is the query parameter "parked" of the next page of parked messages, "" if there is none.
	Next  string `json:"next,omitempty"`
	Error string `json:"error,omitempty"`
}

// ProjectionState is the state of a projector in this process.
type ProjectionState struct {
	projector.Status

	LagSeconds float64 `json:"lag_seconds"`
	Error      string  `json:"error,omitempty"`
}

// ReadModelState is a read model and its last rebuild or audit on this process.
type ReadModelState struct {
	Name string `json:"name"`
	// Clears reports whether it can be rebuilt from nothing.
	Clears bool      `json:"clears"`
	Job    *JobState `json:"job,omitempty"`
}

// PoisonState is a part of the poison topic.
type PoisonState struct {
	Messages []HeldMessage `json:"messages"`
	// Next is the query parameter "poison" of the next page of messages, "" if there is none.
	Next  string `json:"next,omitempty"`
	Error string `json:"error,omitempty"`
}

// StreamsState are the keys that clients of this process follow.
type StreamsState struct {
	// Keys and Clients count all. Stale counts the keys whose clients see an old state.
	Keys    int `json:"keys"`
	Clients int `json:"clients"`
	Stale   int `json:"stale"`
	// Shown are the keys with the most clients, stale keys first.
	Shown []Stream `json:"shown"`
}

const (
	sectionTimeout = 3 * time.Second
	keysAtOnce     = 100
)

// state reads all sections concurrently. A server that is away does not affect the other sections.
func (h *Handler) state(r *http.Request) *State {
	s := &State{Title: h.config.Title, Instance: h.instance, Time: time.Now().UTC()}
	ctx, cancel := context.WithTimeout(r.Context(), sectionTimeout)
	defer cancel()
	query := r.URL.Query()
	var reading sync.WaitGroup
	if h.config.Outbox != nil {
		s.Outbox = &OutboxState{Messages: []HeldMessage{}}
		reading.Go(func() {
			s.Outbox.Error = failure(func() error { return s.Outbox.read(ctx, h.config.Outbox, query.Get("parked")) })
		})
	}
	s.Projections = make([]ProjectionState, len(h.config.Projections))
	for i, p := range h.config.Projections {
		reading.Go(func() {
			s.Projections[i].Error = failure(func() error { return s.Projections[i].read(ctx, p) })
		})
	}
	if h.config.Poison != nil {
		s.Poison = &PoisonState{Messages: []HeldMessage{}}
		reading.Go(func() {
			s.Poison.Error = failure(func() (err error) {
				messages := poisonIn(h.config.Poison, h.config.PoisonPublisher)
				s.Poison.Messages, s.Poison.Next, err = messages.page(ctx, query.Get("poison"))
				return err
			})
		})
	}
	for _, m := range h.config.ReadModels {
		s.ReadModels = append(s.ReadModels, ReadModelState{m.name, m.clears, h.jobs.of(m.name)})
	}
	if h.config.Streams != nil {
		s.Streams = &StreamsState{Shown: []Stream{}}
		s.Streams.read(h.config.Streams(), query.Get("key"))
	}
	reading.Wait()
	return s
}

// failure returns the text of the error or panic of read, or "".
func failure(read func() error) string {
	raised, err := panics.CatchError(read)
	switch {
	case raised != nil:
		return fmt.Sprintf("panic: %v", raised.Reason)
	case err != nil:
		return err.Error()
	default:
		return ""
	}
}

func (s *OutboxState) read(ctx context.Context, queue outbox.Operations, after string) (err error) {
	s.Backlog, err = queue.Backlog(ctx)
	s.Topics = append([]outbox.TopicBacklog{}, s.Topics...) // never null in JSON
	if err != nil {
		return err
	}
	s.Messages, s.Next, err = parkedIn(queue).page(ctx, after)
	return err
}

func (s *ProjectionState) read(ctx context.Context, p *projector.Projector) (err error) {
	s.Status, err = p.Status(ctx)
	s.Topics = append([]string{}, s.Topics...)
	s.LagSeconds, s.Lag = s.Lag.Seconds(), s.Lag.Round(time.Millisecond)
	return err
}

// read keeps the keys with the most clients, stale keys first. With a text it keeps only the keys that contain it.
func (s *StreamsState) read(all func(yield func(Stream) bool), containing string) {
	for stream := range all {
		s.Keys++
		s.Clients += stream.Clients
		if stream.Stale != "" {
			s.Stale++
		}
		if strings.Contains(stream.Key, containing) {
			s.Shown = append(s.Shown, stream)
		}
		if len(s.Shown) >= 20*keysAtOnce {
			s.cut()
		}
	}
	s.cut()
}

func (s *StreamsState) cut() {
	slices.SortFunc(s.Shown, func(a, b Stream) int {
		if (a.Stale == "") != (b.Stale == "") {
			return strings.Compare(b.Stale, a.Stale) // one of them is empty
		}
		if a.Clients != b.Clients {
			return b.Clients - a.Clients
		}
		return strings.Compare(a.Key+"\n"+a.Topics, b.Key+"\n"+b.Topics)
	})
	s.Shown = s.Shown[:min(len(s.Shown), keysAtOnce)]
}
