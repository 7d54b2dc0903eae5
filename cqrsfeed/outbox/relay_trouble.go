package outbox

import "context"

// maxRemembered bounds how many failures of a topic are remembered. To forget them only delays.
const maxRemembered = 10_000

// trouble is what a courier remembers of a topic until the broker takes one of its messages.
type trouble struct {
	refused  bool               // one of its messages was parked for failing again and again while others were taken
	forgiven bool               // what failed while the broker seemed away was forgotten, which is done once
	failures map[string]failure // by UUID: others may have published what failed here
}

// failure is that of a message that failed alone.
type failure struct {
	attempts int    // how often
	taken    uint64 // how many messages the broker had taken when it last did
}

// passedMessage is one that failed and stays, while the batch went on behind it.
type passedMessage struct {
	topic string
	err   error
}

// publishAlone publishes one message. It parks it when the publisher says that it is refused, and when there
// is nothing else left to think.
func (c *courier) publishAlone(ctx context.Context, d *consignment, i int) {
	msg := d.batch[i]
	err := c.publish(ctx, d, []int{i})
	if err == nil {
		d.stopBehindPassed(msg.Topic)
		return
	}
	if d.parkRefused(i, err) {
		return
	}
	attempts, since := c.failed(msg)
	away := c.away && !c.troubles[msg.Topic].forgiven
	switch {
	case !c.hadEnough(msg.Topic, attempts):
		d.failure = err
	case since:
		c.giveUp(d, i, err, attempts)
	case !d.searched && c.takesAnother(ctx, d, i, attempts):
		err = c.publish(ctx, d, []int{i}) // the broker may have come back in between
		switch {
		case err == nil || d.parkRefused(i, err):
		case away:
			d.failure = err // what failed until now does not count
		default:
			c.giveUp(d, i, err, attempts+1)
		}
	case d.answered && c.troubles[msg.Topic].refused:
		// The broker is there, so that it costs little to find out about the others of the topic.
		d.searched = true
		d.passed = append(d.passed, passedMessage{msg.Topic, err})
	default:
		d.searched, d.failure = true, err
	}
}

// failed counts a message that failed alone. It reports how often it did, and whether it failed before, a message
// was taken since, and its topic is refused.
func (c *courier) failed(m Message) (attempts int, since bool) {
	t := c.troubles[m.Topic]
	if t == nil {
		t = &trouble{failures: map[string]failure{}}
		c.troubles[m.Topic] = t
	}
	before := t.failures[m.Message.UUID]
	if before.attempts == 0 && len(t.failures) >= maxRemembered {
		clear(t.failures)
	}
	t.failures[m.Message.UUID] = failure{attempts: before.attempts + 1, taken: c.taken}
	// Those without a UUID cannot be told apart.
	return before.attempts + 1, t.refused && m.Message.UUID != "" && before.attempts > 0 && before.taken < c.taken
}

// beBack forgets what failed while the broker was away. Its topics need not come back together. But two topics that it
// does not take look like that too, so a topic is forgiven once.
func (c *courier) beBack() {
	if !c.away {
		return
	}
	c.away = false
	for _, t := range c.troubles {
		if !t.forgiven {
			clear(t.failures)
			t.forgiven = true
		}
	}
}

// hadEnough says whether it is time to find out what is wrong with a message that failed.
func (c *courier) hadEnough(topic string, attempts int) bool {
	most := c.relay.config.MaxAttempts
	return most != Off && (attempts >= most || c.troubles[topic].refused)
}

// giveUp parks a message that the broker does not take while it takes others. If none of those was of its topic,
// the others of the topic are not waited for.
func (c *courier) giveUp(d *consignment, i int, reason error, attempts int) {
	d.park(i, reason, attempts)
	if t := c.troubles[d.batch[i].Topic]; t != nil {
		t.refused = true
		delete(t.failures, d.batch[i].Message.UUID) // it may be returned
	}
}

// takesAnother publishes one of the messages behind i: the first one of another topic, which overtakes none of its
// own, or else another one of the same topic. It takes another one with each attempt, for it might be one that is
// refused itself.
func (c *courier) takesAnother(ctx context.Context, d *consignment, i, attempts int) bool {
	elsewhere, same := d.others(i)
	for _, others := range [][]int{elsewhere, same} {
		if len(others) == 0 {
			continue
		}
		other := others[attempts%len(others)]
		err := c.publish(ctx, d, []int{other})
		if err == nil {
			return true
		}
		if !d.parkRefused(other, err) && d.batch[other].Topic != d.batch[i].Topic {
			c.away = true
		}
	}
	return false
}

// others returns what may be tried in place of i: the first message of each other topic, and those of the same one.
func (d *consignment) others(i int) (elsewhere, same []int) {
	seen := map[string]bool{}
	for _, other := range d.open(i+1, len(d.batch)) {
		topic := d.batch[other].Topic
		switch {
		case topic == d.batch[i].Topic:
			same = append(same, other)
		case !seen[topic]:
			seen[topic] = true
			elsewhere = append(elsewhere, other)
		}
	}
	return elsewhere, same
}

// stopBehindPassed ends the batch when the broker takes a topic again of which a message was passed over: that one
// comes next.
func (d *consignment) stopBehindPassed(topic string) {
	for _, p := range d.passed {
		if p.topic == topic && d.failure == nil {
			d.failure = p.err
		}
	}
}

// lookAsFar says how many messages the next batch takes: twice as many where all of this one were of no use to
// tell a broker that is away from one that refuses what is in front, up to MaxLook and then from the beginning,
// as long looks are costly; and as many as ever when all is well again.
func (c *courier) lookAsFar(d *consignment) {
	config := c.relay.config
	switch {
	case d.failure == nil && len(d.parked) == 0:
		c.look = config.BatchSize
	case d.searched && len(d.batch) < c.look: // that was all there is
	case d.searched && c.look >= config.MaxLook:
		c.look = config.BatchSize
	case d.searched:
		c.look = min(2*c.look, config.MaxLook)
	}
}
