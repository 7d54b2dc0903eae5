package projector

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/internal/backoff"
)

const (
	// leastHeld is how many messages a worker holds before it takes no more, where batches are smaller.
	leastHeld = 10
	// mostInVain ends a pass over what is held: where the first few fail, the store or the broker is away, and the
	// others need not be tried for that. They are the first of the next pass.
	mostInVain = 3
)

// heldMessage is a message that is applied alone since its batch kept failing.
type heldMessage struct {
	delivery

	attempts int   // how often it failed alone beside others that were applied
	seen     int64 // the projector's count of what was applied, as of its last attempt
}

// heldMessages are those of a worker. They are tried between its batches, so that what fails by itself holds up
// nothing else.
type heldMessages struct {
	messages []heldMessage
	most     int
	failing  backoff.Backoff
	due      time.Time
}

func newHeld(config Config) *heldMessages {
	return &heldMessages{
		most:    max(config.BatchSize, leastHeld),
		failing: backoff.Backoff{Min: config.MinBackoff, Max: config.MaxBackoff},
	}
}

// hold takes a batch over. It is due at once.
func (h *heldMessages) hold(batch []delivery, seen int64) {
	for _, d := range batch {
		h.messages = append(h.messages, heldMessage{delivery: d, seen: seen})
	}
	h.failing.Reset()
	h.due = time.Time{}
}

// wake receives when something is due; never when nothing is held.
func (h *heldMessages) wake() <-chan time.Time {
	if len(h.messages) == 0 {
		return nil
	}
	return time.After(time.Until(h.due))
}

func (h *heldMessages) isDue() bool { return len(h.messages) > 0 && !time.Now().Before(h.due) }

// room says whether more may fail. Where so much does, the store or the broker is most likely away.
func (h *heldMessages) room() bool { return len(h.messages) < h.most }

func (h *heldMessages) giveBack() {
	for _, m := range h.messages {
		m.settle(false)
	}
	h.messages = nil
}

// applyHeld is one pass over what is held.
func (p *Projector) applyHeld(stopping, work context.Context, held *heldMessages) {
	var failed []heldMessage
	var failure error
	untried, tookSome := held.messages, false
	goes := sync.OnceValue(func() bool { return p.appliesAnother(work) })
	for len(untried) > 0 && stopping.Err() == nil && (tookSome || len(failed) < mostInVain) {
		m := untried[0]
		untried = untried[1:]
		if err := p.applyAlone(work, &m, goes); err != nil {
			failed, failure = append(failed, m), err
		} else {
			tookSome = true
		}
	}
	held.messages = slices.Concat(untried, failed)
	if tookSome {
		held.failing.Reset()
	}
	held.due = time.Now().Add(held.failing.Next())
	if failure != nil {
		p.logger.Error("Projector could not apply messages that it applies alone, will retry", failure, watermill.LogFields{
			"messages": len(held.messages), "message_uuid": failed[len(failed)-1].msg.UUID, "topic": failed[len(failed)-1].topic,
		})
	}
}

// applyAlone makes an attempt. Without an error the message is settled. A failure counts when something else was
// applied since the attempt before, or goes says that it can be now: otherwise the store or the broker is most likely
// away. After MaxAttempts the message has a last one, because what was away may have come back in between, and is
// set aside.
func (p *Projector) applyAlone(ctx context.Context, m *heldMessage, goes func() bool) error {
	select {
	case <-m.msg.Context().Done():
		m.settle(false) // who waits for it does so no more; it comes again from there
		return nil
	default:
	}
	othersGo := p.applied.Load() > m.seen
	batch := []delivery{m.delivery}
	_, err := p.apply(ctx, batch)
	if err == nil {
		return nil
	}
	m.seen = p.applied.Load()
	if p.config.MaxAttempts == Off || (!othersGo && !goes()) {
		return err
	}
	if m.attempts++; m.attempts < p.config.MaxAttempts {
		return err
	}
	if _, err = p.apply(ctx, batch); err != nil {
		_, err = p.setAside(ctx, batch, map[*message.Message]error{m.msg: err})
	}
	return err
}

// appliesAnother applies once more what was applied before, to tell a message that cannot be applied from a store
// or a broker that is away.
func (p *Projector) appliesAnother(ctx context.Context) bool {
	msg := p.knownGood.Load()
	if msg == nil {
		return false
	}
	refused, err := p.attempt(ctx, []delivery{{msg: msg.Copy()}})
	return err == nil && len(refused) == 0
}
