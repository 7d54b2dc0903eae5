package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// livePrefix begins the names of the consumers of live subscriptions. Those of durable ones contain an "@".
const livePrefix = "feedmill-live-"

// survey is the state of a stream by topic, with the topics' consumers.
type survey struct {
	stream *jetstream.StreamInfo
	topics []*topicState
}

// topicState is the state of a topic, with its consumers.
type topicState struct {
	subject  string
	messages int64
	most     int64                     // how many it may hold, 0 without a limit
	durable  []*jetstream.ConsumerInfo // which must read everything
	live     []*jetstream.ConsumerInfo // of live subscriptions, which may miss something
}

// survey reads the state of the topics under the stream's prefix from the broker.
func (s *Stream) survey(ctx context.Context) (*survey, error) {
	stream, err := s.lookUp(ctx)
	if err != nil {
		return nil, err
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(s.config.SubjectPrefix+".>"))
	if err != nil {
		return nil, fmt.Errorf("look up the subjects of stream %q: %w", s.config.Name, err)
	}
	consumers, err := consumersOf(ctx, stream)
	if err != nil {
		return nil, err
	}
	found := &survey{stream: info}
	for subject, messages := range info.State.Subjects {
		topic := &topicState{subject: subject, messages: int64(messages), most: max(info.Config.MaxMsgsPerSubject, 0)} //nolint:gosec // streams hold no more
		for _, consumer := range consumers {
			switch {
			case !reads(consumer, subject):
			case consumer.Config.Durable != "":
				topic.durable = append(topic.durable, consumer)
			case strings.HasPrefix(consumer.Name, livePrefix): // other consumers, such as those of tools, do not count
				topic.live = append(topic.live, consumer)
			}
		}
		found.topics = append(found.topics, topic)
	}
	slices.SortFunc(found.topics, func(a, b *topicState) int { return strings.Compare(a.subject, b.subject) })
	return found, nil
}

// consumersOf returns all consumers of the stream. A cluster omits consumers whose servers do not respond. A missing
// durable consumer is an error, because its position is unknown.
func consumersOf(ctx context.Context, stream jetstream.Stream) ([]*jetstream.ConsumerInfo, error) {
	names := stream.ConsumerNames(ctx)
	silent := map[string]bool{}
	for name := range names.Name() {
		silent[name] = true
	}
	if err := names.Err(); err != nil {
		return nil, fmt.Errorf("list the consumers: %w", err)
	}
	var consumers []*jetstream.ConsumerInfo
	list := stream.ListConsumers(ctx)
	for info := range list.Info() {
		consumers = append(consumers, info)
		delete(silent, info.Name)
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("look up the consumers: %w", err)
	}
	for name := range silent {
		if strings.HasPrefix(name, livePrefix) {
			continue
		}
		if _, err := stream.Consumer(ctx, name); !errors.Is(err, jetstream.ErrConsumerNotFound) { // not deleted meanwhile
			return nil, fmt.Errorf("look up consumer %q: its server does not respond", name)
		}
	}
	return consumers, nil
}

// reads reports whether the consumer receives messages of the subject.
func reads(consumer *jetstream.ConsumerInfo, subject string) bool {
	filters := consumer.Config.FilterSubjects
	if consumer.Config.FilterSubject != "" {
		filters = []string{consumer.Config.FilterSubject}
	}
	return len(filters) == 0 || slices.ContainsFunc(filters, func(filter string) bool { return matches(filter, subject) })
}

// matches reports whether a subject with wildcards matches one without.
func matches(filter, subject string) bool {
	for filter != "" && subject != "" {
		want, restOfFilter, moreFilter := strings.Cut(filter, ".")
		got, restOfSubject, moreSubject := strings.Cut(subject, ".")
		if want == ">" {
			return true
		}
		if want != "*" && want != got || moreFilter != moreSubject {
			return false
		}
		filter, subject = restOfFilter, restOfSubject
	}
	return filter == subject
}

// unread returns the number of messages that the consumer has not acknowledged.
func unread(consumer *jetstream.ConsumerInfo) int64 {
	return int64(consumer.NumPending) + int64(consumer.NumAckPending) //nolint:gosec // streams hold no more than that
}

// slowest returns the durable consumer that has acknowledged the least, or nil.
func (t *topicState) slowest() (slowest *jetstream.ConsumerInfo) {
	for _, consumer := range t.durable {
		if slowest == nil || consumer.AckFloor.Stream < slowest.AckFloor.Stream {
			slowest = consumer
		}
	}
	return slowest
}

// over reports whether the topic holds more than the given number of quarters of its maximum.
func (t *topicState) over(quarters int64) bool { return t.most > 0 && t.messages > t.most*quarters/4 }

// redelivers reports whether messages may wait at the broker for a subscription that requests them again. After a purge
// the broker redelivers them only when AckWait has passed.
func (t *topicState) redelivers() bool {
	return slices.ContainsFunc(t.durable, func(c *jetstream.ConsumerInfo) bool { return c.NumAckPending > 0 && c.NumWaiting == 0 })
}

// held reports whether the topic has messages that must not be removed.
func (t *topicState) held() bool {
	slowest := t.slowest()
	return slowest != nil && unread(slowest) > 0 || slowest == nil && len(t.live) == 0 && t.messages > 0
}

// over reports whether the stream holds more than the given number of quarters of its maximum, over all topics.
func (s *survey) over(quarters uint64) bool {
	beyond := func(holds uint64, most int64) bool {
		return most > 0 && holds > uint64(most)/4*quarters
	}
	return beyond(s.stream.State.Bytes, s.stream.Config.MaxBytes) || beyond(s.stream.State.Msgs, s.stream.Config.MaxMsgs)
}

// topicOf returns the topic of a subject.
func (s *Stream) topicOf(subject string) string {
	escaped := strings.TrimPrefix(subject, s.config.SubjectPrefix+".")
	if topic, err := url.PathUnescape(escaped); err == nil {
		return topic
	}
	return escaped
}

// oldest returns the first message of the subject at or after the sequence: when it was stored, and its sequence. It
// returns jetstream.ErrMsgNotFound if there is none.
func (s *Stream) oldest(ctx context.Context, subject string, from uint64) (stored time.Time, sequence uint64, err error) {
	stream, err := s.lookUp(ctx)
	if err != nil {
		return time.Time{}, 0, err
	}
	msg, err := stream.GetMsg(ctx, max(from, 1), jetstream.WithGetMsgSubject(subject))
	if err != nil {
		return time.Time{}, 0, err
	}
	return msg.Time, msg.Sequence, nil
}

// holder describes which consumer keeps the topic's messages in the stream, and what to do about it.
func (s *Stream) holder(ctx context.Context, t *topicState) string {
	slowest := t.slowest()
	if slowest == nil {
		return fmt.Sprintf("no durable subscriber reads it: subscribe, or remove the messages by `nats stream purge %s --subject %s`",
			s.config.Name, t.subject)
	}
	since := ""
	if stored, _, err := s.oldest(ctx, t.subject, slowest.AckFloor.Stream+1); err == nil {
		since = fmt.Sprintf(", the oldest since %s", time.Since(stored).Round(time.Second))
	}
	return fmt.Sprintf("consumer %q has not acknowledged %d%s: check its subscriber, or delete the consumer by `nats consumer rm %s %s` if it is not used",
		slowest.Name, unread(slowest), since, s.config.Name, slowest.Name)
}
