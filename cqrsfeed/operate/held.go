package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// The errors for IDs without a message. All other messages that were named are done.
var (
	// ErrNotParked is returned if some of the messages to return or discard are not parked.
	ErrNotParked error = &statusError{"not parked", http.StatusNotFound}
	// ErrNotPoison is returned if some of the messages to replay or remove are not in the poison topic.
	ErrNotPoison error = &statusError{"not in the poison topic", http.StatusNotFound}
)

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

// messagesAtOnce is how many messages are read at once, and shown on a page.
const messagesAtOnce = 50

// holder keeps messages until an operator decides about them: an outbox, or a poison topic.
type holder struct {
	absent  error // for an ID without a message
	list    func(ctx context.Context, after string, limit int) ([]HeldMessage, error)
	actions map[string]decision
}

// decision is what an operator can do with messages.
type decision struct {
	done string // says what was done
	do   func(ctx context.Context, ids ...string) (done []string, err error)
}

// parkedIn returns the parked messages of an outbox.
func parkedIn(queue outbox.Operations) holder {
	return holder{
		absent: ErrNotParked,
		list: func(ctx context.Context, after string, limit int) ([]HeldMessage, error) {
			parked, err := queue.Parked(ctx, after, limit)
			messages := make([]HeldMessage, len(parked))
			for i, m := range parked {
				messages[i] = held(m.ID, m.Topic, m.Message)
				messages[i].At, messages[i].Reason, messages[i].Attempts, messages[i].Holds = m.ParkedAt, m.Reason, m.Attempts, m.Holds
			}
			return messages, err
		},
		actions: map[string]decision{
			"unpark":  {"returned to the outbox", queue.Unpark},
			"discard": {"discarded", queue.Discard},
		},
	}
}

// poisonIn returns the messages of a poison topic.
func poisonIn(queue projector.PoisonQueue, publisher message.Publisher) holder {
	return holder{
		absent: ErrNotPoison,
		list: func(ctx context.Context, after string, limit int) ([]HeldMessage, error) {
			poisoned, err := queue.Poisoned(ctx, after, limit)
			messages := make([]HeldMessage, len(poisoned))
			for i, m := range poisoned {
				messages[i] = held(m.ID, m.Message.Metadata.Get(projector.PoisonTopicKey), m.Message)
				messages[i].At, messages[i].Reason = m.SetAside, m.Message.Metadata.Get(projector.PoisonReasonKey)
			}
			return messages, err
		},
		actions: map[string]decision{
			"replay": {"replayed", func(ctx context.Context, ids ...string) ([]string, error) { return replay(ctx, queue, publisher, ids) }},
			"remove": {"discarded", queue.Remove},
		},
	}
}

// payloadShown is how much of a payload is shown, in bytes.
const payloadShown = 16 << 10

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

// page returns the messages of a page, and the ID after which the next page begins, "" if there is none.
func (h holder) page(ctx context.Context, after string) (messages []HeldMessage, next string, err error) {
	messages, err = h.list(ctx, after, messagesAtOnce)
	if err != nil || len(messages) == 0 {
		return []HeldMessage{}, "", err
	}
	last := messages[len(messages)-1].ID // of a page that is full by its count or its bytes, or of the last one
	more, err := h.list(ctx, last, 1)
	if len(more) > 0 {
		next = last
	}
	return messages, next, err
}

// each visits all messages, including those that arrive meanwhile.
func (h holder) each(ctx context.Context, visit func(HeldMessage)) error {
	for after := ""; ; {
		some, err := h.list(ctx, after, messagesAtOnce)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, m := range some {
			visit(m)
		}
		after = some[len(some)-1].ID
	}
}

// print lists all messages, oldest first.
func (h holder) print(ctx context.Context, results io.Writer) error {
	table := tabwriter.NewWriter(results, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tTOPIC\tUUID\tSET ASIDE AT\tREASON")
	n := 0
	err := h.each(ctx, func(m HeldMessage) {
		n++
		topic := m.Topic
		if m.Holds {
			topic += " (waits for it)"
		}
		reason := strings.Join(strings.Fields(m.Reason), " ")
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", m.ID, topic, m.UUID, m.At.UTC().Format(time.RFC3339), reason)
	})
	if err != nil {
		return err
	}
	if n == 0 {
		_, err := fmt.Fprintln(results, "nothing was set aside")
		return err
	}
	return table.Flush()
}

// settle does something with the messages of the IDs, or with all messages. It returns how many it was done with, and says
// so in a sentence. The error names the IDs without a message.
func (h holder) settle(ctx context.Context, action string, ids []string, all bool) (n int, result string, err error) {
	if all {
		ids = nil
		if err := h.each(ctx, func(m HeldMessage) { ids = append(ids, m.ID) }); err != nil {
			return 0, "", err
		}
	}
	done, err := h.actions[action].do(ctx, ids...)
	result = fmt.Sprintf("%d of %s %s", len(done), plural(len(ids), "message"), h.actions[action].done)
	if err != nil || all { // others may settle some of all messages meanwhile
		return len(done), result, err
	}
	missing := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(done, id) })
	if len(missing) > 0 {
		err = fmt.Errorf("%s: %w", strings.Join(missing, ", "), h.absent)
	}
	return len(done), result, err
}

// replay publishes messages again and removes each published one. It returns their IDs, and joins the errors.
func replay(ctx context.Context, queue projector.PoisonQueue, publisher message.Publisher, ids []string) (done []string, err error) {
	var errs []error
	for _, id := range ids {
		poisoned, found, err := queue.Lookup(ctx, id)
		if err != nil {
			return done, errors.Join(append(errs, err)...)
		}
		if !found {
			continue
		}
		if err := projector.Replay(publisher, poisoned.Message); err != nil {
			errs = append(errs, err)
			continue
		}
		removed, err := queue.Remove(ctx, id)
		done = append(done, removed...)
		if err != nil {
			return done, errors.Join(append(errs, err)...)
		}
	}
	return done, errors.Join(errs...)
}
