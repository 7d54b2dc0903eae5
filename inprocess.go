package feedmill

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// inProcess publishes to the projections and the handlers of an App, and by Live to the handlers of other instances, in place of
// a broker.
type inProcess struct {
	app    *App
	strict bool // for the relay: a topic that nobody takes is an error
}

// Publish passes the messages to every projection of the topic, whatever the others return, and then to the handlers. It
// returns refusals only when each projection has applied all messages that it does not refuse itself, and the handlers are
// told: the relay parks a refused message, and nobody else would receive it.
//
// For a topic without projections and handlers Publish returns an error that is no refusal, so that its messages wait in the
// outbox. Success would lose them, and an older release would park the events of a newer one if it were a refusal.
func (p inProcess) Publish(topic string, messages ...*message.Message) error {
	projections := p.app.projectionsOf(topic)
	if p.strict && len(projections) == 0 && !p.app.router.Handles(topic) {
		return fmt.Errorf("no projection and no handler takes topic %q", topic)
	}
	var refusals, failures []error
	for _, projection := range projections {
		switch err := projection.Publish(topic, messages...); {
		case err == nil:
		case len(driver.Refusals(err)) > 0:
			refusals = append(refusals, err)
		default:
			failures = append(failures, err)
		}
	}
	if len(failures) == 0 {
		if err := p.tell(topic, messages...); err != nil {
			failures = append(failures, err)
		}
	}
	if len(failures) > 0 {
		for _, refusal := range refusals {
			failures = append(failures, errors.New(refusal.Error())) // no refusal yet: of what is parked nobody hears
		}
		return errors.Join(failures...)
	}
	return errors.Join(refusals...)
}

// tell tells the streams that follow the topic, in all instances. If it fails for other instances, the relay publishes the
// messages again. Events are told only if a handler follows their topic, as those of the updates nearly always do: they are
// larger, and more.
func (p inProcess) tell(topic string, messages ...*message.Message) error {
	if err := p.app.router.Publish(topic, messages...); err != nil {
		return err
	}
	live := p.app.config.Live
	if live == nil || p.strict && !p.app.router.Handles(topic) {
		return nil
	}
	return live.Publish(topic, messages...)
}

// Close does nothing.
func (inProcess) Close() error { return nil }

func (a *App) projectionsOf(topic string) []projection {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var found []projection
	for _, projection := range a.projections {
		if slices.Contains(projection.topics, topic) {
			found = append(found, projection)
		}
	}
	return found
}
