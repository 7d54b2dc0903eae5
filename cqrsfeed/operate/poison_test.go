package operate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// poisonTopic is a poison topic in memory, and the publisher that messages are replayed with. The suite of natspubsub has
// the real one.
type poisonTopic struct {
	mu       sync.Mutex
	messages []projector.PoisonedMessage
	replayed []string // payloads
	listed   int      // calls of Poisoned
	most     int      // that fit into a result
}

// newPoisonTopic returns a topic with n messages, the first of which lacks its payload.
func newPoisonTopic(n int) *poisonTopic {
	p := &poisonTopic{most: 1000}
	for i := range n {
		msg := message.NewMessage(fmt.Sprint("uuid-", i), []byte(strconv.Itoa(i)))
		msg.Metadata.Set(projector.PoisonTopicKey, "note-created")
		msg.Metadata.Set(projector.PoisonReasonKey, "not\ntoday")
		if i == 0 {
			msg.Metadata.Set(projector.PoisonPayloadKey, "9999999")
		}
		p.messages = append(p.messages, projector.PoisonedMessage{ID: strconv.Itoa(1000 + i), Message: msg, SetAside: time.Unix(0, 0)})
	}
	return p
}

func (p *poisonTopic) Poisoned(_ context.Context, after string, limit int) (some []projector.PoisonedMessage, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listed++
	for _, m := range p.messages {
		if m.ID > after && len(some) < min(limit, p.most) {
			some = append(some, m)
		}
	}
	return some, nil
}

func (p *poisonTopic) Lookup(_ context.Context, id string) (projector.PoisonedMessage, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(p.messages, func(m projector.PoisonedMessage) bool { return m.ID == id }); i >= 0 {
		return p.messages[i], true, nil
	}
	return projector.PoisonedMessage{}, false, nil
}

func (p *poisonTopic) Remove(_ context.Context, ids ...string) (removed []string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.messages = slices.DeleteFunc(p.messages, func(m projector.PoisonedMessage) bool {
		if !slices.Contains(ids, m.ID) {
			return false
		}
		removed = append(removed, m.ID)
		return true
	})
	return removed, nil
}

func (p *poisonTopic) Publish(topic string, messages ...*message.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, msg := range messages {
		if topic != "note-created" || msg.Metadata.Get(projector.PoisonReasonKey) != "" {
			return errors.New("not as it was")
		}
		p.replayed = append(p.replayed, string(msg.Payload))
	}
	return nil
}

func (*poisonTopic) Close() error { return nil }

func TestPageOfAPoisonTopic(t *testing.T) {
	t.Parallel()
	topic := newPoisonTopic(60)
	s := openSite(t, operate.HandlerConfig{Poison: topic, PoisonPublisher: topic})
	poison := s.state("").Poison
	require.Len(t, poison.Messages, 50)
	require.Equal(t, "note-created", poison.Messages[1].Topic)
	require.Equal(t, "not\ntoday", poison.Messages[1].Reason)
	rest := s.state("?poison=" + poison.Next).Poison
	require.Len(t, rest.Messages, 10)
	require.Empty(t, rest.Next)
	topic.most = 20 // the messages are large
	poison = s.state("").Poison
	require.Len(t, poison.Messages, 20)
	require.Equal(t, "1019", poison.Next)
	topic.most = 1000

	require.Equal(t, "2 of 3 messages replayed; 9: not in the poison topic", s.act("action", "replay", "id", "1001", "id", "1059", "id", "9"))
	require.Equal(t, []string{"1", "59"}, topic.replayed)
	refused := s.refused(http.StatusBadRequest, "action", "replay", "id", "1000", "id", "1002")
	require.Contains(t, refused, "only in the projector's log")
	require.Contains(t, refused, "1 of 2 messages replayed; ", "what was done is told, too")
	require.NotContains(t, s.refused(http.StatusBadRequest, "action", "replay", "id", "1000"), "0 of 1", "nothing was done")
	s.refused(http.StatusBadRequest, "action", "remove", "id", "1000")
	require.Equal(t, "1 of 1 message discarded", s.act("action", "remove", "id", "1000", "confirm", "yes"))
	require.Len(t, topic.messages, 56)
	_, page := s.do(http.MethodGet, "", nil, browser())
	require.Contains(t, page, `value="replay"`)

	_, err := operate.NewHandler(operate.HandlerConfig{Poison: topic})
	require.ErrorContains(t, err, "PoisonPublisher")
}

func TestCommandsOfAPoisonTopic(t *testing.T) {
	t.Parallel()
	topic := newPoisonTopic(3)
	run := func(args ...string) (string, error) {
		command, err := parse(args...)
		require.NoError(t, err)
		var results strings.Builder
		err = operate.Run(t.Context(), command, operate.Target[note]{Poison: topic, Publisher: topic}, &results, io.Discard)
		return results.String(), err
	}
	list, err := run("poison")
	require.NoError(t, err)
	require.Equal(t, []string{"1001", "note-created", "uuid-1", "1970-01-01T00:00:00Z", "not", "today"},
		strings.Fields(strings.Split(list, "\n")[2]))
	results, err := run("replay", "1002", "7")
	require.ErrorIs(t, err, operate.ErrNotPoison)
	require.EqualError(t, err, "7: not in the poison topic", "it is named")
	require.Equal(t, "1 of 2 messages replayed\n", results, "the other one is")
	require.Equal(t, 2, topic.listed, "only by the list: others are looked up")
	results, err = run("replay", "-all")
	require.ErrorContains(t, err, "payload was refused")
	require.Equal(t, "1 of 2 messages replayed\n", results, "the other one is")
	results, err = run("remove", "1000", "8", "9")
	require.EqualError(t, err, "8, 9: not in the poison topic")
	require.Equal(t, "1 of 3 messages discarded\n", results)
	list, err = run("poison")
	require.NoError(t, err)
	require.Equal(t, "nothing was set aside\n", list)

	command, err := parse("poison")
	require.NoError(t, err)
	require.ErrorContains(t, operate.Run(t.Context(), command, operate.Target[note]{}, io.Discard, io.Discard), "no poison topic")
}
