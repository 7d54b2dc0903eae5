package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feedmill/feedmill/internal/config"
)

// minTrimInterval is the wait before a topic is trimmed again whose messages wait for redelivery.
const minTrimInterval = time.Minute

// maxTrimInterval is the longest time that acknowledged messages stay in the stream while others are published.
const maxTrimInterval = time.Hour

// room removes read messages from the stream, to make room for new ones.
type room struct {
	stream *Stream

	mu        sync.Mutex
	next      time.Time // of the next trim
	published int64     // since the last trim
	most      int64     // how many messages of a topic the stream holds
}

func newRoom(stream *Stream) *room {
	most := stream.config.MaxMessages
	config.Default(&most, defaultMaxMessages)
	return &room{stream: stream, next: time.Now().Add(maxTrimInterval), most: most}
}

// use counts published messages, and trims the stream when that is due.
func (r *room) use(ctx context.Context, messages int) {
	if !r.mu.TryLock() {
		return // another call is trimming
	}
	defer r.mu.Unlock()
	r.published += int64(messages)
	if r.published < r.most/8 && time.Now().Before(r.next) {
		return
	}
	if _, err := r.trim(ctx, ""); err != nil {
		r.stream.logger.Error("Could not remove read messages from the stream; will retry", err, nil)
	}
}

// make trims the stream for a topic that was refused. It returns a description of what holds the remaining messages.
// updates reports that the topic's messages are updates, which may be removed unread.
func (r *room) make(ctx context.Context, subject string, updates bool) (holder string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	disposable := ""
	if updates {
		disposable = subject
	}
	found, err := r.trim(ctx, disposable)
	if err != nil {
		return "read messages could not be removed: " + err.Error()
	}
	for _, t := range found.topics {
		if t.subject == subject && (t.over(2) || t.held()) {
			return fmt.Sprintf("the topic has %d messages: %s", t.messages, r.stream.holder(ctx, t))
		}
	}
	for _, t := range found.topics {
		if t.held() {
			return fmt.Sprintf("topic %q has %d messages: %s", r.stream.topicOf(t.subject), t.messages, r.stream.holder(ctx, t))
		}
	}
	return "other subjects of the stream, or other streams, use the space"
}

// trim removes messages that all durable consumers of their topic have acknowledged. It keeps a quarter of the maximum
// of a topic that only live subscriptions read, or that is disposable. It keeps all messages of a topic without
// subscriptions. It returns the state afterwards.
func (r *room) trim(ctx context.Context, disposable string) (*survey, error) {
	r.published, r.next = 0, time.Now().Add(maxTrimInterval)
	found, err := r.stream.survey(ctx)
	if err != nil {
		return nil, err
	}
	if limit := found.stream.Config.MaxMsgsPerSubject; limit > 0 {
		r.most = limit
	}
	for _, t := range found.topics {
		if err := r.trimTopic(ctx, t, found.over(2), t.subject == disposable); err != nil {
			return nil, err
		}
	}
	if found, err = r.stream.survey(ctx); err != nil {
		return nil, err
	}
	for _, t := range found.topics {
		if t.over(3) || found.over(3) && t.held() {
			r.stream.logger.Error("A topic or the stream is three quarters full; when it is full, messages wait in the outbox", nil, watermill.LogFields{
				"topic": r.stream.topicOf(t.subject), "messages": t.messages, "max_messages": t.most, "reason": r.stream.holder(ctx, t),
			})
		}
	}
	return found, nil
}

// trimTopic removes messages of one topic. Only if the topic is more than half full, it removes messages that a live
// subscription has not received, and may delay redeliveries by up to AckWait.
func (r *room) trimTopic(ctx context.Context, t *topicState, tight, disposable bool) error {
	tight = tight || t.over(2)
	var limit jetstream.StreamPurgeOpt
	switch slowest := t.slowest(); {
	case slowest != nil && !tight && t.redelivers():
		r.next = time.Now().Add(minTrimInterval)
		return nil
	case slowest != nil:
		end := slowest.AckFloor.Stream
		for _, live := range t.live {
			if !tight {
				end = min(end, live.Delivered.Stream)
			}
		}
		limit = jetstream.WithPurgeSequence(end + 1)
	case tight && (disposable || len(t.live) > 0):
		limit = jetstream.WithPurgeKeep(uint64(max(t.most/4, 1)))
	default:
		return nil
	}
	stream, err := r.stream.lookUp(ctx)
	if err != nil {
		return err
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSubject(t.subject), limit); err != nil {
		return fmt.Errorf("remove messages of subject %q: %w", t.subject, err)
	}
	if !tight {
		return nil
	}
	return r.endOvertaken(ctx, t)
}

// endOvertaken deletes the consumers of live subscriptions that have not received the removed messages. Their
// subscriptions create them again, and then detect the gap.
func (r *room) endOvertaken(ctx context.Context, t *topicState) error {
	_, first, err := r.stream.oldest(ctx, t.subject, 1)
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("look up the oldest message of subject %q: %w", t.subject, err)
	}
	for _, live := range t.live {
		if live.NumPending == 0 || first > 0 && live.Delivered.Stream+1 >= first {
			continue
		}
		err := r.stream.js.DeleteConsumer(ctx, r.stream.config.Name, live.Name)
		if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("end a live subscription to subject %q that was overtaken: %w", t.subject, err)
		}
	}
	return nil
}
