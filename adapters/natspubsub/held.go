package natspubsub

import (
	"context"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// gather is how long a subscription with little room waits for more before it asks the broker for messages.
const gather = time.Millisecond

// held are the messages that a durable subscription has handed out and that are not settled. Each has a goroutine that
// waits for its acknowledgement and extends its deadline at the broker.
type held struct {
	config DurableConfig
	nc     *nats.Conn
	logger watermill.LoggerAdapter
	out    chan *message.Message // has room for all
	freed  chan struct{}         // receives when a message was settled
	end    chan struct{}         // closed by giveBack

	waiting sync.WaitGroup
	mu      sync.Mutex
	ended   bool
	count   int // includes forgotten messages until they are settled
	known   map[uint64]*heldMessage
}

// heldMessage is a message together with its last delivery by the broker.
type heldMessage struct {
	msg    *message.Message
	cancel context.CancelFunc
	in     jetstream.Msg
	meta   *jetstream.MsgMetadata
}

func newHeld(config DurableConfig, nc *nats.Conn, logger watermill.LoggerAdapter) *held {
	return &held{
		config: config,
		nc:     nc,
		logger: logger,
		out:    make(chan *message.Message, config.MaxInFlight),
		freed:  make(chan struct{}, 1),
		end:    make(chan struct{}),
		known:  map[uint64]*heldMessage{},
	}
}

// add hands out a message, unless it is held already: the broker repeats a message whose deadline passed during an
// interruption.
func (h *held) add(ctx context.Context, in jetstream.Msg) {
	meta, err := in.Metadata()
	if err != nil {
		h.logger.Error("Received a message that JetStream did not send", err, watermill.LogFields{"subject": in.Subject()})

		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	again := h.known[meta.Sequence.Stream]
	if again != nil && !again.meta.Timestamp.Equal(meta.Timestamp) { // the sequence was given out anew
		h.forget(again)
		again = nil
	}
	switch {
	case again != nil:
		again.in, again.meta = in, meta

		return
	case h.ended || h.count >= h.config.MaxInFlight:
		h.answer(in.NakWithDelay(minNackDelay))

		return
	}
	msg, err := unmarshal(in, meta)
	if err != nil {
		h.logger.Error("Terminated a message that cannot be decoded", err,
			watermill.LogFields{"subject": in.Subject(), "stream_sequence": meta.Sequence.Stream})
		h.answer(in.TermWithReason(err.Error()))

		return
	}
	ctx, cancel := context.WithCancel(ctx)
	msg.SetContext(ctx)
	m := &heldMessage{msg, cancel, in, meta}
	h.known[meta.Sequence.Stream] = m
	h.count++
	h.out <- msg
	h.waiting.Go(func() { h.await(m) })
}

// await waits until the message is acknowledged or given back.
func (h *held) await(m *heldMessage) {
	extend := time.NewTicker(h.config.AckWait / 3)
	defer extend.Stop()
	for {
		select {
		case <-extend.C:
			h.extend(m)

			continue
		case <-m.msg.Acked():
		case <-m.msg.Nacked():
		case <-h.end:
		}
		h.settle(m)

		return
	}
}

// extend tells the broker that the message is being worked on.
func (h *held) extend(m *heldMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known[m.meta.Sequence.Stream] == m && h.nc.IsConnected() {
		h.answer(m.in.InProgress())
	}
}

// settle tells the broker what became of the message. A message that is neither acked nor nacked is given back.
func (h *held) settle(m *heldMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known[m.meta.Sequence.Stream] == m {
		delete(h.known, m.meta.Sequence.Stream)
		select {
		case <-m.msg.Acked():
			h.answer(m.in.Ack())
		case <-m.msg.Nacked():
			h.answer(m.in.NakWithDelay(nthDelay(m.meta.NumDelivered, h.config.MaxNackDelay)))
		default:
			h.answer(m.in.NakWithDelay(minNackDelay))
		}
	}
	m.cancel()
	h.count--
	select {
	case h.freed <- struct{}{}:
	default:
	}
}

// answer logs the error of an answer to the broker. The broker delivers the message again when it misses the answer.
func (h *held) answer(err error) {
	if err != nil {
		h.logger.Error("Could not answer the broker, the message will be delivered again", err, nil)
	}
}

// forgetAll forgets all messages, because the stream was made again.
func (h *held) forgetAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.known {
		h.forget(m)
	}
}

// forget ends the context of a message that the stream no longer has. Its acknowledgement must not reach another
// message with its sequence.
func (h *held) forget(m *heldMessage) {
	h.logger.Error("Forgot a message that is being worked on: the stream was made again or has lost its end", nil,
		watermill.LogFields{"message_uuid": m.msg.UUID, "stream_sequence": m.meta.Sequence.Stream})
	m.cancel()
	delete(h.known, m.meta.Sequence.Stream)
}

// awaitRoom waits until there is room for a quarter of MaxInFlight, or for less when no more becomes free at once. It
// returns 0 when ctx ends.
func (h *held) awaitRoom(ctx context.Context) int {
	for {
		h.mu.Lock()
		room := h.config.MaxInFlight - h.count
		h.mu.Unlock()
		if room >= max(h.config.MaxInFlight/4, 1) {
			return room
		}
		var gathered <-chan time.Time
		if room > 0 {
			gathered = time.After(gather)
		}
		select {
		case <-h.freed:
		case <-gathered:
			return room
		case <-ctx.Done():
			return 0
		}
	}
}

// giveBack returns what is not settled to the broker. Messages that arrive later are given back too.
func (h *held) giveBack() {
	h.mu.Lock()
	h.ended = true
	h.mu.Unlock()
	close(h.end)
	h.waiting.Wait()
	for len(h.out) > 0 {
		select {
		case <-h.out:
		default:
		}
	}
}

// nthDelay returns the delay after the nth delivery. It doubles from minNackDelay to most.
func nthDelay(n uint64, most time.Duration) time.Duration {
	delay := minNackDelay
	for ; n > 1 && delay < most; n-- {
		delay *= 2
	}

	return min(delay, most)
}
