package feedmill

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// inProcess publishes to the projections and the handlers of an App, in place of a broker.
type inProcess struct {
	app    *App
	strict bool // a topic that nobody takes is an error
}

// Publish has every projection of the topic apply the messages, and then tells the handlers. It returns the refusals only
// when each projection has applied all that it does not refuse itself, because the relay parks what is refused.
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
		refused, err := projection.apply(topic, messages)
		refusals = append(refusals, refused...)
		if err != nil {
			failures = append(failures, err)
		}
	}
	if len(failures) > 0 {
		return errors.Join(failures...)
	}
	return errors.Join(append(refusals, p.app.router.Publish(topic, messages...))...)
}

// apply applies the messages without those that the projection refuses.
func (p projection) apply(topic string, messages []*message.Message) (refusals []error, err error) {
	for rest := messages; len(rest) > 0; {
		err := p.Publish(topic, rest...)
		refused := driver.Refusals(err)
		if len(refused) == 0 {
			return refusals, err
		}
		refusals = append(refusals, err)
		rest = slices.DeleteFunc(slices.Clone(rest), func(msg *message.Message) bool {
			return slices.ContainsFunc(refused, func(r *cqrsfeed.RefusedError) bool { return r.Message == msg })
		})
	}
	return refusals, nil
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
