package outbox

import (
	"slices"
	"time"

	"github.com/feedmill/feedmill/internal/backoff"
)

// maxCounted bounds the messages of a topic whose failures are counted. Forgetting them only delays parking.
const maxCounted = 1000

// breaker holds back a topic that failed. It has three states:
//
//	closed     there is no breaker: a batch of the topic is published in one call
//	open       until retryAt: drains leave the topic out
//	half-open  after retryAt: its messages are published one by one, until a batch of them went well (closed)
//	           or one failed (open)
type breaker struct {
	backoff  backoff.Backoff
	retryAt  time.Time
	failures map[string]int // by UUID, of messages that were published alone
}

// open starts the next wait and returns it. failed is how long the failing calls took, and topics is the number of topics that
// fail. The wait is long enough for publishers that hang to take at most half of the relay's time together.
func (b *breaker) open(failed time.Duration, topics int) time.Duration {
	wait := max(b.backoff.Next(), failed*time.Duration(2*topics-1))
	b.retryAt = time.Now().Add(wait)
	return wait
}

// count adds a failure of a message and returns how many there were.
func (b *breaker) count(uuid string) int {
	if b.failures[uuid] == 0 && len(b.failures) >= maxCounted {
		clear(b.failures)
	}
	b.failures[uuid]++
	return b.failures[uuid]
}

// breakers are the breakers of the topics that failed.
type breakers struct {
	backoff backoff.Backoff // of a new one
	byTopic map[string]*breaker
}

// of returns the topic's breaker. If there is none, it makes one.
func (b *breakers) of(topic string) *breaker {
	if b.byTopic[topic] == nil {
		b.byTopic[topic] = &breaker{backoff: b.backoff, failures: map[string]int{}}
	}
	return b.byTopic[topic]
}

// closed reports whether the topic has no breaker.
func (b *breakers) closed(topic string) bool { return b.byTopic[topic] == nil }

// progress resets the topic's next wait to the shortest.
func (b *breakers) progress(topic string) {
	if breaker := b.byTopic[topic]; breaker != nil {
		breaker.backoff.Reset()
	}
}

func (b *breakers) close(topic string) { delete(b.byTopic, topic) }

// forget removes the breakers of topics without messages, because another relay or an operator took them. batch has all that a
// drain found outside the topics that it left out.
func (b *breakers) forget(except []string, batch []Message) {
	for topic := range b.byTopic {
		if !slices.Contains(except, topic) && !slices.ContainsFunc(batch, func(m Message) bool { return m.Topic == topic }) {
			delete(b.byTopic, topic)
		}
	}
}

// open returns the topics that wait, and when the first of them is due: the zero time if none waits.
func (b *breakers) open() (topics []string, due time.Time) {
	now := time.Now()
	for topic, breaker := range b.byTopic {
		if !breaker.retryAt.After(now) {
			continue
		}
		topics = append(topics, topic)
		if due.IsZero() || breaker.retryAt.Before(due) {
			due = breaker.retryAt
		}
	}
	slices.Sort(topics)
	return topics, due
}
