package operate

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

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
	// Waiting is an upper bound if it is Estimated: see outbox.Backlog. Topics then count the oldest outbox.MaxCounted
	// messages.
	Waiting   int64 `json:"waiting"`
	Estimated bool  `json:"estimated,omitempty"`
	// Oldest is when the oldest waiting message was put into the outbox.
	Oldest   time.Time     `json:"oldest,omitzero"`
	Topics   []TopicState  `json:"topics"`
	Parked   int64         `json:"parked"`
	Messages []HeldMessage `json:"messages"`
	// Next is the query parameter "parked" of the next page of parked messages, "" if there is none.
	Next  string `json:"next,omitempty"`
	Error string `json:"error,omitempty"`
}

// TopicState is the waiting messages of a topic.
type TopicState struct {
	Topic   string    `json:"topic"`
	Waiting int64     `json:"waiting"`
	Oldest  time.Time `json:"oldest"`
}

// HeldMessage is a parked or poisoned message.
type HeldMessage struct {
	ID       string    `json:"id"`
	Topic    string    `json:"topic"`
	UUID     string    `json:"uuid"`
	At       time.Time `json:"at"`
	Reason   string    `json:"reason"`
	Attempts int       `json:"attempts,omitempty"`
	// Holds reports whether its topic waits because of the message, see outbox.ParkedMessage.
	Holds    bool              `json:"holds,omitempty"`
	Metadata map[string]string `json:"metadata"`
	Payload  string            `json:"payload"`
}

// ProjectionState is the state of a projector in this process: see projector.Status.
type ProjectionState struct {
	Name       string        `json:"name"`
	Topics     []string      `json:"topics"`
	Paused     bool          `json:"paused"`
	Backlog    int64         `json:"backlog"`
	Oldest     time.Time     `json:"oldest,omitzero"`
	Applied    time.Time     `json:"applied,omitzero"`
	Lag        time.Duration `json:"-"`
	LagSeconds float64       `json:"lag_seconds"`
	Failed     time.Time     `json:"failed,omitzero"`
	Failure    string        `json:"failure,omitempty"`
	Error      string        `json:"error,omitempty"`
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
	messagesAtOnce = 50
	keysAtOnce     = 100
	// payloadShown is how much of a payload is shown, in bytes.
	payloadShown = 16 << 10
)

// state reads all sections concurrently. A server that is away does not affect the other sections.
func (h *Handler) state(r *http.Request) *State {
	s := &State{Title: h.config.Title, Instance: h.instance, Time: time.Now().UTC()}
	ctx, cancel := context.WithTimeout(r.Context(), sectionTimeout)
	defer cancel()
	query := r.URL.Query()
	var reading sync.WaitGroup
	if h.config.Outbox != nil {
		s.Outbox = &OutboxState{Topics: []TopicState{}, Messages: []HeldMessage{}}
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
			s.Poison.Error = failure(func() error { return s.Poison.read(ctx, h.config.Poison, query.Get("poison")) })
		})
	}
	for _, m := range h.config.ReadModels {
		s.ReadModels = append(s.ReadModels, ReadModelState{m.name, m.clear != nil, h.jobs.of(m.name)})
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
	var err error
	if raised := panics.Catch(func() { err = read() }); raised != nil {
		err = fmt.Errorf("panic: %v", raised.Reason)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

func (s *OutboxState) read(ctx context.Context, queue outbox.Operations, after string) error {
	backlog, err := queue.Backlog(ctx)
	if err != nil {
		return err
	}
	s.Waiting, s.Estimated, s.Oldest, s.Parked = backlog.Waiting, backlog.Estimated, backlog.Oldest, backlog.Parked
	topics, err := queue.WaitingByTopic(ctx)
	if err != nil {
		return err
	}
	for _, t := range topics {
		s.Topics = append(s.Topics, TopicState(t))
	}
	parked, err := queue.Parked(ctx, after, messagesAtOnce)
	if err != nil {
		return err
	}
	for _, m := range parked {
		held := held(m.ID, m.Topic, m.Message)
		held.At, held.Reason, held.Attempts, held.Holds = m.ParkedAt, m.Reason, m.Attempts, m.Holds
		s.Messages = append(s.Messages, held)
	}
	if len(parked) == 0 {
		return nil
	}
	last := parked[len(parked)-1].ID // of a page that is full by its count or its bytes, or of the last one
	more, err := queue.Parked(ctx, last, 1)
	if len(more) > 0 {
		s.Next = last
	}
	return err
}

func (s *ProjectionState) read(ctx context.Context, p *projector.Projector) error {
	status, err := p.Status(ctx)
	s.Name, s.Topics, s.Paused, s.Backlog = status.Name, append([]string{}, status.Topics...), status.Paused, status.Backlog
	s.Oldest = status.Oldest
	s.Applied, s.Lag, s.LagSeconds = status.Applied, status.Lag.Round(time.Millisecond), status.Lag.Seconds()
	s.Failed, s.Failure = status.Failed, status.Failure
	return err
}

func (s *PoisonState) read(ctx context.Context, queue projector.PoisonQueue, after string) error {
	messages, err := queue.Poisoned(ctx, after, messagesAtOnce)
	if err != nil {
		return err
	}
	for _, m := range messages {
		held := held(m.ID, m.Message.Metadata.Get(projector.PoisonTopicKey), m.Message)
		held.At, held.Reason = m.SetAside, m.Message.Metadata.Get(projector.PoisonReasonKey)
		s.Messages = append(s.Messages, held)
	}
	if len(messages) == 0 {
		return nil
	}
	last := messages[len(messages)-1].ID
	more, err := queue.Poisoned(ctx, last, 1)
	if len(more) > 0 {
		s.Next = last
	}
	return err
}

// held shows a message, which may be nil.
func held(id, topic string, msg *message.Message) HeldMessage {
	h := HeldMessage{ID: id, Topic: topic, Metadata: map[string]string{}}
	if msg == nil {
		return h
	}
	payload := msg.Payload
	if len(payload) > payloadShown {
		payload = payload[:payloadShown]
	}
	h.UUID, h.Metadata, h.Payload = msg.UUID, msg.Metadata, strings.ToValidUTF8(string(payload), "\uFFFD")
	if more := len(msg.Payload) - len(payload); more > 0 {
		h.Payload += fmt.Sprintf("… and %d bytes more", more)
	}
	return h
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
