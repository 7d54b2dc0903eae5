package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// courier brings batches to the publisher and remembers, for one Run, how that went.
type courier struct {
	relay    *Relay
	careful  bool                // the last batch failed: publish one message at a time
	look     int                 // how many messages the next batch takes: more than BatchSize to find one that is taken
	taken    uint64              // how many messages the broker has taken
	away     bool                // since then a message of another topic was refused too, in place of the one in front
	troubles map[string]*trouble // by topic, until one of its messages is taken
}

func newCourier(r *Relay) *courier {
	return &courier{relay: r, look: r.config.BatchSize, troubles: map[string]*trouble{}}
}

// consignment is a batch on its way.
type consignment struct {
	batch    []Message
	results  []Result
	settled  int // how many leave the outbox
	parked   []parkedMessage
	passed   []passedMessage
	answered bool  // the broker took a message of it
	searched bool  // no other message was found that the broker takes
	failure  error // what ended it early
	cut      bool  // it ended early without a failure
}

type parkedMessage struct {
	topic, uuid string
	reason      error
	attempts    int
}

// deliver publishes a batch in order until it is done, something fails, or there is reason to stop.
func (c *courier) deliver(ctx context.Context, stopping <-chan struct{}, batch []Message) *consignment {
	d := &consignment{batch: batch, results: make([]Result, len(batch))}
	most := min(len(batch), c.relay.config.BatchSize) // what is behind them is there to be tried in their place
	for start := 0; start < most && d.failure == nil; {
		if start > 0 && mustStop(ctx, stopping) {
			d.cut = true
			break
		}
		end := start + 1
		for !c.careful && end < most && batch[end].Topic == batch[start].Topic {
			end++
		}
		c.publishRun(ctx, stopping, d, start, end)
		start = end
	}
	if d.failure == nil && len(d.passed) > 0 {
		d.failure = d.passed[0].err
	}
	d.cut = d.cut || most < len(batch)
	c.careful = d.failure != nil || c.careful && d.cut
	c.lookAsFar(d)
	return d
}

// mustStop says whether what is published should be deleted now: after a stop, and when the store has waited for
// as long as it may.
func mustStop(ctx context.Context, stopping <-chan struct{}) bool {
	select {
	case <-stopping:
		return true
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// publishRun publishes messages of one topic together, without those that are refused. Where that cannot be
// told, or only one is left, they are published alone.
func (c *courier) publishRun(ctx context.Context, stopping <-chan struct{}, d *consignment, start, end int) {
	run := d.open(start, end)
	for len(run) > 1 && d.failure == nil {
		err := c.publish(ctx, d, run)
		if err == nil {
			return
		}
		refused := driver.Refusals(err)
		if len(refused) == 0 {
			d.failure = err
			return
		}
		if !d.parkNamed(run, refused) {
			break
		}
		run = d.open(start, end)
		if len(run) > 0 && mustStop(ctx, stopping) {
			d.cut = true
			return
		}
	}
	for n, i := range run {
		if d.failure != nil {
			return
		}
		if n > 0 && mustStop(ctx, stopping) {
			d.cut = true
			return
		}
		if d.isOpen(i) {
			c.publishAlone(ctx, d, i)
		}
	}
}

// publish hands messages of one topic to the publisher, and settles them when it took them.
func (c *courier) publish(ctx context.Context, d *consignment, run []int) error {
	topic := d.batch[run[0]].Topic
	msgs := make([]*message.Message, len(run))
	for n, i := range run {
		msgs[n] = d.batch[i].Message
	}
	endSpans := c.relay.traces.start(ctx, topic, msgs)
	began := time.Now()
	err := c.relay.config.Publisher.Publish(topic, msgs...)
	c.relay.metrics.called(ctx, began)
	endSpans(err)
	if err != nil {
		return fmt.Errorf("publish %d messages to topic %q: %w", len(run), topic, err)
	}
	taken := make([]Message, len(run))
	for n, i := range run {
		d.results[i].Outcome = Published
		taken[n] = d.batch[i]
	}
	d.settled += len(run)
	d.answered = true
	c.taken += uint64(len(run))
	delete(c.troubles, topic)
	c.beBack()
	c.relay.metrics.delivered(ctx, taken)
	return nil
}

func (d *consignment) isOpen(i int) bool { return d.results[i].Outcome == Keep }

// open returns which of the messages are not settled.
func (d *consignment) open(start, end int) []int {
	var open []int
	for i := start; i < end; i++ {
		if d.isOpen(i) {
			open = append(open, i)
		}
	}
	return open
}

func (d *consignment) park(i int, reason error, attempts int) {
	msg := d.batch[i].Message
	d.results[i] = Result{Outcome: Park, Reason: reason, Attempts: attempts}
	d.settled++
	d.parked = append(d.parked, parkedMessage{d.batch[i].Topic, msg.UUID, reason, attempts})
}

// parkRefused parks a message that was published alone, if the publisher says that it is refused.
func (d *consignment) parkRefused(i int, err error) bool {
	refused := driver.Refusals(err)
	if len(refused) > 0 {
		d.park(i, refused[0].Reason, 1)
	}
	return len(refused) > 0
}

// parkNamed parks the messages that the publisher names, and reports whether it named any.
func (d *consignment) parkNamed(run []int, refused []*cqrsfeed.RefusedError) bool {
	named := false
	for _, i := range run {
		for _, r := range refused {
			if r.Message == d.batch[i].Message {
				d.park(i, r.Reason, 1)
				named = true
				break
			}
		}
	}
	return named
}
