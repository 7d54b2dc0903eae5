package outbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/internal/attempt"
	"github.com/feedmill/feedmill/internal/panics"
)

// callsPerDrain is the least number of calls of Publish in one drain. Three decide whether a message is parked.
const callsPerDrain = 3

// delivery is one batch on its way to the publisher. Messages are identified by their indexes in the batch.
type delivery struct {
	relay   *Relay
	stop    <-chan struct{}
	batch   []Message
	results []Result
	parked  []int
	failed  time.Duration // how long the failing calls of the present topic took
	cut     bool          // the batch ended early, because of stop or the deadline
}

// bytes returns the size of the batch's payloads.
func (d *delivery) bytes() int {
	total := 0
	for _, m := range d.batch {
		total += len(m.Message.Payload)
	}
	return total
}

// publish publishes a batch, one topic after the other.
func (d *delivery) publish(ctx context.Context, batch []Message) []Result {
	d.batch, d.results = batch, make([]Result, len(batch))
	var topics []string
	places := map[string][]int{}
	for i, m := range batch {
		if places[m.Topic] == nil {
			topics = append(topics, m.Topic)
		}
		places[m.Topic] = append(places[m.Topic], i)
	}
	// Topics that have failed come last, so that topics that hang take no time from the others of the batch.
	failing := func(topic string) bool { return !d.relay.breakers.closed(topic) }
	last := slices.DeleteFunc(slices.Clone(topics), func(topic string) bool { return !failing(topic) })
	topics = append(slices.DeleteFunc(topics, failing), last...)
	for n, topic := range topics {
		if n > 0 && d.mustStop(ctx) {
			break
		}
		d.failed = 0
		d.publishTopic(ctx, topic, places[topic])
	}
	return d.results
}

// publishTopic publishes messages of one topic. Where its order is kept, the next message of an item is published when those
// before it were.
func (d *delivery) publishTopic(ctx context.Context, topic string, messages []int) {
	for n, round := range d.rounds(messages) {
		if n > 0 && d.mustStop(ctx) {
			return
		}
		if d.relay.breakers.closed(topic) {
			d.publishTogether(ctx, topic, slices.Clone(round))
		} else {
			d.publishSingly(ctx, topic, round)
		}
		if slices.ContainsFunc(round, func(i int) bool { return d.results[i].Outcome != Published }) {
			return
		}
	}
}

// rounds divides messages of a topic whose order is kept, so that each round has at most one message of an item. Messages of
// another topic are one round.
func (d *delivery) rounds(messages []int) (rounds [][]int) {
	if !d.batch[messages[0]].InOrder {
		return [][]int{messages}
	}
	earlier := map[string]int{}
	for _, i := range messages {
		n := earlier[d.key(i)]
		earlier[d.key(i)]++
		if n == len(rounds) {
			rounds = append(rounds, nil)
		}
		rounds[n] = append(rounds[n], i)
	}
	return rounds
}

func (d *delivery) key(i int) string { return d.batch[i].Message.Metadata.Get(cqrsfeed.PartitionKey) }

// mustStop reports whether no further call of Publish may be made in this batch.
func (d *delivery) mustStop(ctx context.Context) bool {
	select {
	case <-d.stop:
		d.cut = true
	case <-ctx.Done():
		d.cut = true
	default:
	}
	return d.cut
}

// publishTogether publishes messages of one topic in one call. If some are refused by name, it publishes the others again. If
// it is unknown which are refused, it publishes them one by one.
func (d *delivery) publishTogether(ctx context.Context, topic string, messages []int) {
	for n := 0; len(messages) > 0; n++ {
		if n > 0 && d.mustStop(ctx) {
			return
		}
		err := d.call(ctx, topic, messages...)
		if err == nil {
			d.settle(ctx, messages...)
			return
		}
		named, unnamed := d.refusals(err, messages)
		switch {
		case len(named) > 0:
			messages = slices.DeleteFunc(messages, func(i int) bool { return d.parkNamed(i, named) })
		case unnamed != nil:
			d.publishSingly(ctx, topic, messages)
			return
		default:
			d.open(ctx, topic, err)
			return
		}
	}
}

// publishSingly publishes messages of one topic one by one, until one fails for a reason that may pass.
func (d *delivery) publishSingly(ctx context.Context, topic string, messages []int) {
	for n, i := range messages {
		if d.results[i].Outcome != Keep {
			continue
		}
		if n > 0 && d.mustStop(ctx) {
			return
		}
		err := d.publishAlone(ctx, topic, i)
		if err != nil && !d.fails(ctx, topic, i, messages[n+1:]) {
			d.open(ctx, topic, err)
			return
		}
		d.relay.breakers.progress(topic)
	}
	d.relay.breakers.close(topic)
}

// publishAlone publishes one message, or parks it if it is refused. Otherwise it returns the error.
func (d *delivery) publishAlone(ctx context.Context, topic string, i int) error {
	err := d.call(ctx, topic, i)
	if err == nil {
		d.settle(ctx, i)
		return nil
	}
	named, unnamed := d.refusals(err, []int{i})
	switch {
	case d.parkNamed(i, named):
		return nil
	case unnamed != nil:
		d.park(i, unnamed, 1)
		return nil
	default:
		return err
	}
}

// fails counts a failure of message i, which was published alone, and reports whether the message is settled.
//
// After MaxAttempts failures it publishes a message of another item of the topic. If that succeeds and message i then fails once
// more, message i is parked. The other message stays in the outbox, so that it is published again in its place.
func (d *delivery) fails(ctx context.Context, topic string, i int, behind []int) bool {
	b, uuid := d.relay.breakers.of(topic), d.batch[i].Message.UUID
	failures, most := b.count(uuid), d.relay.config.MaxAttempts
	behind = d.others(i, behind)
	if most == Off || failures < most || len(behind) == 0 || d.mustStop(ctx) {
		return false
	}
	other := behind[(failures-most)%len(behind)]
	if err := d.call(ctx, topic, other); err != nil {
		b.count(d.batch[other].Message.UUID)
		return false
	}
	if d.mustStop(ctx) {
		return false
	}
	err := d.publishAlone(attempt.WithLast(ctx), topic, i)
	switch {
	case d.results[i].Outcome == Park: // refused, since it was the last attempt
		d.results[i].Attempts = failures + 1
	case err != nil && ctx.Err() != nil:
		return false // the deadline may be what failed it
	case err != nil:
		d.park(i, err, failures+1)
	}
	return true
}

// others returns the messages behind message i that may be published before it: the first message of each other item.
func (d *delivery) others(i int, behind []int) (others []int) {
	seen := map[string]bool{d.key(i): true}
	for _, other := range behind {
		if k := d.key(other); k == "" || !seen[k] {
			seen[k] = true
			others = append(others, other)
		}
	}
	return others
}

// call hands messages of one topic to the publisher, within a context of their own.
func (d *delivery) call(ctx context.Context, topic string, messages ...int) error {
	r := d.relay
	ctx, cancel := context.WithTimeout(ctx, r.config.DrainTimeout/callsPerDrain)
	defer cancel()
	msgs := make([]*message.Message, len(messages))
	for n, i := range messages {
		msgs[n] = d.batch[i].Message
		msgs[n].SetContext(ctx)
	}
	endSpans := r.traces.start(ctx, topic, msgs)
	began := time.Now()
	raised, err := panics.CatchError(func() error { return r.config.Publisher.Publish(topic, msgs...) })
	if raised != nil {
		err = fmt.Errorf("panic: %v", raised.Reason)
		r.logger.Error("Relay recovered from a panic of its publisher", err, watermill.LogFields{"topic": topic, "stack": string(raised.Stack)})
	}
	took := time.Since(began)
	r.metrics.called(ctx, took)
	endSpans(err)
	if err != nil {
		d.failed += took
		return fmt.Errorf("publish %d messages to topic %q: %w", len(messages), topic, err)
	}
	return nil
}

// refusals returns the messages that are refused for good, with the reasons, and the reason of a refusal that names no message.
// It ignores refusals of other messages, which the publisher may have published itself.
func (d *delivery) refusals(err error, messages []int) (named map[int]error, unnamed error) {
	named = map[int]error{}
	for _, refusal := range driver.Refusals(err) {
		if refusal.Message == nil {
			unnamed = reasonOf(refusal)
			continue
		}
		for _, i := range messages {
			if d.batch[i].Message == refusal.Message {
				named[i] = reasonOf(refusal)
			}
		}
	}
	return named, unnamed
}

func reasonOf(refusal *cqrsfeed.RefusedError) error {
	if refusal.Reason == nil {
		return refusal
	}
	return refusal.Reason
}

// settle marks messages as published.
func (d *delivery) settle(ctx context.Context, messages ...int) {
	published := make([]Message, len(messages))
	for n, i := range messages {
		d.results[i].Outcome = Published
		published[n] = d.batch[i]
	}
	d.relay.metrics.delivered(ctx, published)
}

// parkNamed parks message i if it is among the refused ones.
func (d *delivery) parkNamed(i int, named map[int]error) bool {
	reason, refused := named[i]
	if refused {
		d.park(i, reason, 1)
	}
	return refused
}

func (d *delivery) park(i int, reason error, attempts int) {
	d.results[i] = Result{Outcome: Park, Reason: reason, Attempts: attempts}
	d.parked = append(d.parked, i)
}

// open opens the topic's breaker.
func (d *delivery) open(ctx context.Context, topic string, err error) {
	wait := d.relay.breakers.of(topic).open(d.failed, len(d.relay.breakers.byTopic))
	d.relay.metrics.failed(ctx)
	d.relay.logger.Error("Relay could not publish to a topic, will retry", err, watermill.LogFields{"topic": topic, "wait": wait})
}
