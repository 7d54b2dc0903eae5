package feedmill

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// inProcess publishes to the projections and the handlers of an App, in place of a broker.
type inProcess struct {
	app    *App
	strict bool // a topic that nobody takes is an error
}

// Publish has every projection of the topic apply the messages, whatever the others return, and then tells the handlers.
// It returns refusals only when each projection has applied all that it does not refuse itself: the relay parks what is
// refused, and it would come to no other projection.
//
// A topic that nobody takes must not be a success, which would lose its events, nor a refusal, which would have an older
// release of the application park the events of a newer one: it waits in the outbox.
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
	if len(failures) > 0 {
		for _, refusal := range refusals {
			failures = append(failures, errors.New(refusal.Error())) // no refusal yet: what is parked comes to no projection
		}
		return errors.Join(failures...)
	}
	return errors.Join(append(refusals, p.app.router.Publish(topic, messages...))...)
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
