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

// gather is how long a subscription with little room waits for more before it requests messages.
const gather = time.Millisecond

// held are the messages that a durable subscription has handed out and that are not settled. For each of them a
// goroutine waits for the acknowledgement and extends the deadline at the broker.
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
	last    *jetstream.MsgMetadata // of the last message
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

// add hands out a message, unless it is held already. The broker sends a message again if its deadline passed during an
// interruption.
func (h *held) add(ctx context.Context, in jetstream.Msg) {
	meta, err := in.Metadata()
	if err != nil {
		h.logger.Error("Received a message that is not from JetStream", err, watermill.LogFields{"subject": in.Subject()})
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = meta
	again := h.known[meta.Sequence.Stream]
	if again != nil && !again.meta.Timestamp.Equal(meta.Timestamp) { // the sequence was assigned again
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

// extend extends the message's deadline at the broker.
func (h *held) extend(m *heldMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known[m.meta.Sequence.Stream] == m && h.nc.IsConnected() {
		h.answer(m.in.InProgress())
	}
}

// settle acknowledges the message or gives it back. A message that is neither acked nor nacked is given back.
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

// answer logs the error of a reply to the broker. The broker redelivers the message if the reply is lost.
func (h *held) answer(err error) {
	if err != nil {
		h.logger.Error("Could not reply to the broker; it will redeliver the message", err, nil)
	}
}

// forgetAll forgets all messages, because the stream was created again.
func (h *held) forgetAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.known {
		h.forget(m)
	}
}

// forget cancels the context of a message that the stream no longer has. Its acknowledgement must not reach another
// message that got its sequence.
func (h *held) forget(m *heldMessage) {
	h.logger.Error("Dropped a held message that the stream no longer has: the stream was created again or lost its newest messages", nil,
		watermill.LogFields{"message_uuid": m.msg.UUID, "stream_sequence": m.meta.Sequence.Stream})
	m.cancel()
	delete(h.known, m.meta.Sequence.Stream)
}

// lost returns a lower bound of the number of messages of the topic that were removed from the stream, undelivered,
// since the last message arrived. again reports that the stream was created again. Otherwise the consumer must be that
// of the last message.
func (h *held) lost(consumer *jetstream.ConsumerInfo, again bool) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil {
		return 0
	}
	lost := h.last.NumPending
	if !again {
		delivered := consumer.Delivered.Consumer
		if delivered >= h.last.Sequence.Consumer { // else the consumer was created again
			delivered -= h.last.Sequence.Consumer
		}
		lost -= min(lost, consumer.NumPending+delivered)
	}
	h.last = nil
	return lost
}

// awaitRoom waits until there is room for a quarter of MaxInFlight, and returns the room. If only a smaller room is
// free, it returns that after gather. It returns 0 when ctx ends.
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

// giveBack returns unsettled messages to the broker. Messages that arrive later are returned too.
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
