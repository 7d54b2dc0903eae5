package tableprojection

import (
	"context"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// Apply implements projector.Projection. It refuses a message that cannot be decoded, and one whose state Step refuses.
// In that case the version is withheld: the item leaves the tables. If only a body cannot be decoded, the message fails
// alone (cqrsfeed.FailedError), and its version is withheld before it is set aside. Of several states of an item, the
// newest is applied.
func (p *Projection[T]) Apply(ctx context.Context, batch []*message.Message) ([]*message.Message, error) {
	all := make([]next[T], len(batch))
	var left []error
	for i, msg := range batch {
		item, err := cqrsfeed.DecodeItem[T](msg)
		if err != nil {
			left = append(left, p.leaveOut(ctx, msg, item, err))
		}
		all[i] = next[T]{item: item}
	}
	if len(left) > 0 {
		return nil, errors.Join(left...)
	}
	states, at := newestStates(all)
	_, err := p.advance(ctx, states)
	failed, ok := errors.AsType[*stepError](err)
	if ok && errors.Is(err, errUnreadable) {
		return nil, &cqrsfeed.FailedError{Message: batch[at[failed.state]], Reason: p.wrap("apply", err)}
	}
	if !ok || len(driver.Refusals(err)) == 0 {
		return nil, p.wrap(fmt.Sprintf("apply %d items", len(states)), err)
	}
	if err := p.withhold(ctx, states[failed.state].item); err != nil {
		return nil, p.wrap("withhold a refused version", err)
	}
	return nil, &cqrsfeed.RefusedError{Message: batch[at[failed.state]], Reason: p.wrap("apply", err)}
}

// leaveOut returns the error for a message that cannot be decoded, after it has withheld what cqrsfeed.LeaveOut refuses.
func (p *Projection[T]) leaveOut(ctx context.Context, msg *message.Message, item cqrsfeed.Item[T], reason error) error {
	left := cqrsfeed.LeaveOut(ctx, msg, reason)
	_, undecodable := errors.AsType[*cqrsfeed.UndecodableError](reason)
	if !undecodable || len(driver.Refusals(left)) == 0 {
		return left
	}
	switch err := p.withhold(ctx, item); {
	case errors.Is(err, errUnreadable):
		return &cqrsfeed.FailedError{Message: msg, Reason: p.wrap("withhold a version", err)}
	case err != nil:
		return p.wrap("withhold a version", err)
	}
	return left
}

// withhold removes an item whose version is refused from the tables, as a feed store removes it from its feeds. If Step
// refuses that as well, the tables keep the version before.
func (p *Projection[T]) withhold(ctx context.Context, item cqrsfeed.Item[T]) error {
	_, err := p.advance(ctx, []next[T]{{item: cqrsfeed.Withhold(item).Item, withheld: true}})
	if len(driver.Refusals(err)) > 0 {
		return nil
	}
	return err
}
