package natspubsub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Timing of pull requests: a request that waits longer than pullExpiry is answered and made anew; while it
// waits the broker speaks every pullHeartbeat, and one that missed two beats is taken for gone.
const (
	pullExpiry    = 30 * time.Second
	pullHeartbeat = 5 * time.Second
	pullSilence   = 2*pullHeartbeat + time.Second
)

// flushTimeout bounds how long the end of a subscription waits for the broker.
const flushTimeout = 5 * time.Second

const connectionClosed = "Subscription ends because the connection was closed"

var errSilent = errors.New("the broker has been silent")

// puller asks a pull consumer for messages, never for more than there is room for. The client library's own
// consumers fetch ahead of what their user can take, where no deadline can be extended. It belongs to one
// goroutine, which receives from msgs.
type puller struct {
	nc      *nats.Conn
	stream  string
	msgs    chan *nats.Msg
	silence *time.Timer // fires when the broker owes a sign of life

	sub         *nats.Subscription
	next        string // the subject of requests
	outstanding int    // how many messages were asked for and may still come
}

// newPuller answers a puller of which at most room messages are outstanding.
func newPuller(nc *nats.Conn, stream string, room int) *puller {
	silence := time.NewTimer(pullSilence)
	silence.Stop()

	return &puller{nc: nc, stream: stream, silence: silence, msgs: make(chan *nats.Msg, 2*room+64)}
}

// open turns to a consumer, on an inbox of its own so that requests made before are void.
func (p *puller) open(consumer string) error {
	p.shut()
	sub, err := p.nc.ChanSubscribe(p.nc.NewInbox(), p.msgs)
	if err != nil {
		return fmt.Errorf("subscribe to the inbox: %w", err)
	}
	p.sub = sub
	p.next = fmt.Sprintf("%sCONSUMER.MSG.NEXT.%s.%s", jetstream.DefaultAPIPrefix, p.stream, consumer)

	return nil
}

// shut voids the requests that were made. Messages that are on their way are dropped.
func (p *puller) shut() {
	if p.sub != nil {
		_ = p.sub.Unsubscribe() // fails only where the connection is closed
		p.sub = nil
	}
	p.outstanding = 0
	p.silence.Stop()
}

// isOpen reports whether messages may come.
func (p *puller) isOpen() bool { return p.sub != nil }

// request asks for n messages more.
func (p *puller) request(n int) error {
	body, err := json.Marshal(struct {
		Batch     int           `json:"batch"`
		Expires   time.Duration `json:"expires"`
		Heartbeat time.Duration `json:"idle_heartbeat"`
	}{n, pullExpiry, pullHeartbeat})
	if err != nil {
		return fmt.Errorf("encode pull request: %w", err)
	}
	if err := p.nc.PublishRequest(p.next, p.sub.Subject, body); err != nil {
		return fmt.Errorf("request messages: %w", err)
	}
	p.outstanding += n
	p.silence.Reset(pullSilence)

	return nil
}

// receive takes in what came from msgs. It reports whether it is a message, and an error where requests are
// void and the consumer may be gone.
func (p *puller) receive(msg *nats.Msg) (bool, error) {
	status := msg.Header.Get("Status")
	isMessage := len(msg.Data) > 0 || status == ""
	if msg.Sub != p.sub {
		return isMessage, nil // of an inbox before
	}
	p.silence.Reset(pullSilence)
	if isMessage {
		p.outstanding = max(p.outstanding-1, 0)

		return true, nil
	}
	pending, err := strconv.Atoi(msg.Header.Get("Nats-Pending-Messages"))
	switch {
	case status == "100":
		return false, nil
	case err == nil: // a request ended: it expired, or was cut short
		p.outstanding = max(p.outstanding-pending, 0)

		return false, nil
	case status == "503":
		return false, errors.New("the broker does not know the consumer")
	default:
		return false, fmt.Errorf("the broker answered %s %s", status, msg.Header.Get("Description"))
	}
}

// silent reports whether the broker is dead to us, when the timer of silence fired.
func (p *puller) silent() bool {
	if p.outstanding == 0 {
		return false
	}
	if len(p.msgs) > 0 { // it is we who did not listen
		p.silence.Reset(pullSilence)

		return false
	}

	return true
}

// drain ends the flow without losing what the broker has sent, and answers the messages among it.
func (p *puller) drain(ctx context.Context) []*nats.Msg {
	if p.sub != nil && p.nc.IsConnected() && p.sub.Drain() == nil {
		_ = p.nc.FlushWithContext(ctx) // what it has sent is in msgs now; else it comes again, later
	}
	p.shut()
	var left []*nats.Msg
	for {
		select {
		case msg := <-p.msgs:
			if len(msg.Data) > 0 || msg.Header.Get("Status") == "" {
				left = append(left, msg)
			}
		default:
			return left
		}
	}
}
