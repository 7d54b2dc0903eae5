package projector

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/reason"
)

// Status is the state of a projector in this process.
type Status struct {
	Name   string   `json:"name"`
	Topics []string `json:"topics"`
	Paused bool     `json:"paused"`
	// Backlog is how many messages wait for the projection. If the Subscriber is a Backlogger, the broker counts them.
	// Otherwise Backlog counts the messages that this process received and has not acknowledged. Without a Subscriber it is
	// 0, and messages wait in the outbox.
	Backlog int64 `json:"backlog"`
	// Oldest is when the oldest message of the Backlog was published, zero if there is none or the time is unknown.
	Oldest time.Time `json:"oldest,omitzero"`
	// Applied is when a batch was applied last, zero for never. Lag is how long its oldest event had taken, zero if the event
	// has no time.
	Applied time.Time     `json:"applied,omitzero"`
	Lag     time.Duration `json:"-"` // operate.ProjectionState has it in seconds
	// Failed is when an attempt failed last, zero for never, and Failure why.
	Failed  time.Time `json:"failed,omitzero"`
	Failure string    `json:"failure,omitempty"`
}

// Name returns the Name of the configuration.
func (p *Projector) Name() string { return p.config.Name }

// Status returns the state of the projector. It asks the broker for the Backlog. Beside an error all other fields are valid.
func (p *Projector) Status(ctx context.Context) (Status, error) {
	s := p.history.status()
	s.Name, s.Topics = p.config.Name, slices.Clone(p.config.Topics)
	s.Paused, _ = p.pause.now()
	if p.config.Subscriber == nil {
		return s, nil
	}
	backlog, _, err := p.backlog(ctx)
	s.Backlog, s.Oldest = backlog.Messages, backlog.Oldest
	return s, err
}

// history is what Status says of past batches.
type history struct {
	mu   sync.Mutex
	last Status
}

func (h *history) status() Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// attempted notes how an attempt to apply a batch ended.
func (h *history) attempted(batch []*delivery, err error) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		if !errors.Is(err, context.Canceled) { // a stop, or a pause
			h.last.Failed, h.last.Failure = now, reason.Text(err)
		}
		return
	}
	h.last.Applied, h.last.Lag = now, 0
	for _, d := range batch {
		if happened := cqrsfeed.MessageTime(d.msg); !happened.IsZero() {
			h.last.Lag = max(h.last.Lag, now.Sub(happened))
		}
	}
}
