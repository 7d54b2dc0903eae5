package ssestream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/internal/reload"
)

// Kick says which streams [Router.Kick] ends: those of a key, of a principal, or of a principal at a key.
type Kick struct {
	// Key selects the streams that follow it, of any [Adapter].
	Key string `json:"key,omitempty"`
	// Principal selects the streams whose request has it, by RouterConfig.Principal.
	Principal string `json:"principal,omitempty"`
	// Authorize keeps the streams that may go on. RequestKey, Authorize and Expires of their adapters are called again, with
	// the request of the stream. These functions must look up what may have changed, such as the session: what middleware
	// has put into the request's context is old. A stream ends if its client is refused, has another key, or has to end
	// earlier. A connection of several streams ends if that holds for one of them, or if one that was refused would be
	// served now. Streams of adapters that are not an [Adapter] end.
	Authorize bool `json:"authorize,omitempty"`
}

// Kick ends streams, on this router and, by RouterConfig.KickTopic, on all others. Their clients reconnect, and are
// authorized again. So first change what Authorize looks at, for example end the session, and then call Kick.
//
// When Kick returns nil, the streams of this router have ended, and nothing more is sent on them. A stream that is just
// beginning, and may have been authorized before, is turned away with a reconnection time, unless Authorize allows it
// again. Other routers end their streams when the message reaches them. A router that may have missed a kick, or cannot read
// one, ends all its streams: their clients come back after RouterConfig.Retry, through the middleware too.
//
// The streams of this router end even if the broker is away. Kick returns an error if ctx ends before they have ended, or
// before the message is published. What has begun goes on, and [Router.Close] waits for it. At most 16 messages are
// published at once. The functions of an adapter and RouterConfig.ErrorHandler must not call Kick.
func (r *Router) Kick(ctx context.Context, k Kick) error {
	switch {
	case k.Key == "" && k.Principal == "":
		return errors.New("kick: neither a key nor a principal is named")
	case k.Principal != "" && r.config.Principal == nil:
		return errors.New("kick: RouterConfig.Principal is not set, so that streams have no principals")
	}
	picked := r.visits.pick(k)
	ended := make(chan error, 1)
	r.background(func() { r.end(picked, k.Authorize); ended <- nil }) // All streams end with the router.

	return errors.Join(r.tellKick(ctx, k), awaitKick(ctx, ended, "streams have not ended"))
}

// kicksAtOnce is how many kicks are published at once. A broker that hangs holds no more goroutines.
const kicksAtOnce = 16

// tellKick tells the other routers. It returns when ctx ends, but Publish may go on, whatever ctx says.
func (r *Router) tellKick(ctx context.Context, k Kick) error {
	if r.config.KickTopic == "" {
		if r.config.UpstreamSubscriber == nil {
			return nil // There are no others.
		}

		return errors.New("kick: RouterConfig.KickTopic is not set, so that no other router is told")
	}
	select {
	case r.telling <- struct{}{}: // whatever ctx says
	default:
		select {
		case r.telling <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("kick: other routers were not told, since %d kicks are being published: %w", kicksAtOnce, ctx.Err())
		}
	}
	told := make(chan error, 1)
	r.background(func() {
		defer func() { <-r.telling }()
		told <- r.publishKick(ctx, k)
	})

	return awaitKick(ctx, told, "other routers may not have been told")
}

// background runs task in a goroutine that Close waits for, unless it was called before.
func (r *Router) background(task func()) {
	if !r.spawn(task) {
		go task()
	}
}

// awaitKick returns what comes from done. Where ctx ends before, it says what is not certain then.
func awaitKick(ctx context.Context, done <-chan error, otherwise string) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	default:
		return fmt.Errorf("kick: %s: %w", otherwise, ctx.Err())
	}
}

// kickMessage is the payload of a message on the topic of kicks.
type kickMessage struct {
	Kick

	From string `json:"from"` // the router that has done it already
}

func (r *Router) publishKick(ctx context.Context, k Kick) (err error) {
	defer recovered(&err, "kick: tell other routers")
	payload, err := json.Marshal(kickMessage{Kick: k, From: r.name})
	if err != nil {
		return fmt.Errorf("kick: encode message: %w", err)
	}
	msg := message.NewMessageWithContext(ctx, watermill.NewUUID(), payload)
	if err := r.config.KickPublisher.Publish(r.config.KickTopic, msg); err != nil {
		return fmt.Errorf("kick: tell other routers: %w", err)
	}

	return nil
}

// end ends the visits, which have begun, or those of them whose clients may not go on, and waits for their end.
func (r *Router) end(picked []*visit, authorize bool) {
	if authorize {
		r.authorizeAgain(picked)

		return
	}
	for _, v := range picked {
		r.visits.stop(v)
	}
	for _, v := range picked {
		r.visits.wait(v)
	}
}

// authorizeAgain ends the visits whose clients may not go on. Authorize may take long: several are called at once, and a
// stream does not wait for the results of others.
func (r *Router) authorizeAgain(picked []*visit) {
	asking := make(chan struct{}, r.config.ConcurrentLoads)
	var wait sync.WaitGroup
	for _, v := range picked {
		asking <- struct{}{}
		wait.Go(func() {
			goesOn := v.authorized()
			<-asking
			if !goesOn {
				r.end([]*visit{v}, false)
			}
		})
	}
	wait.Wait()
}

// welcome begins a visit that has joined its rooms, and reports whether it may go on after what it missed.
func (r *Router) welcome(v *visit, stop func()) bool {
	end, authorize := r.visits.begin(v, stop)

	return !end && (!authorize || v.authorized())
}

// kicks hears of what other routers end.
type kicks struct{ router *Router }

// Deliver implements listener.
func (l kicks) Deliver(msg *message.Message) {
	k, err := readKick(msg)
	if err != nil {
		l.router.logger.Error("Kick is not known, all streams end", err, watermill.LogFields{
			"topic": l.router.config.KickTopic, "message_uuid": msg.UUID,
		})
		l.kick(Kick{})

		return
	}
	if k.From != l.router.name {
		l.kick(k.Kick)
	}
}

// readKick returns an error for a message that may be about other streams than what was read says: another release may
// have fields that are not known here.
func readKick(msg *message.Message) (k kickMessage, err error) {
	if reload.Marked(msg) {
		return k, errors.New("the message replaces others, which may have been kicks of anybody")
	}
	decoder := json.NewDecoder(bytes.NewReader(msg.Payload))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&k); err != nil {
		return k, fmt.Errorf("decode kick: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return k, errors.New("decode kick: there is more than one value")
	}
	if k.Key == "" && k.Principal == "" {
		return k, errors.New("decode kick: neither a key nor a principal is named")
	}

	return k, nil
}

// Resubscribed implements listener. A kick that was missed may have been about streams that Authorize would allow, for
// example where only middleware looks at the session. So all streams end.
func (l kicks) Resubscribed() { l.kick(Kick{}) }

// kick is for the streams that there are now. One that selects nothing is about all of them.
func (l kicks) kick(k Kick) {
	picked := l.router.visits.pick(k)
	l.router.spawn(func() { l.router.end(picked, k.Authorize) }) // All streams end with the router.
}
