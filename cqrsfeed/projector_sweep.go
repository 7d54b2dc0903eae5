package cqrsfeed

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// sweep calls a Sweeper at start and every SweepInterval. A failed sweep is logged and comes again, and what
// could not be announced is announced with the next one: the sweep itself does not find it again.
func (p *Projector) sweep(stopping, work context.Context) {
	sweeper, ok := p.config.Projection.(Sweeper)
	if !ok {
		return
	}
	var untold []*message.Message
	tick := time.NewTicker(p.config.SweepInterval)
	defer tick.Stop()
	for stopping.Err() == nil {
		updates, err := sweeper.Sweep(work)
		untold = append(untold, updates...)
		if refused := p.publish(p.config.UpdatesTopic, untold); refused == nil {
			untold = nil
		} else {
			err = errors.Join(err, refused)
		}
		if err != nil {
			p.logger.Error("Projector could not sweep, will retry", err, nil)
		}
		select {
		case <-tick.C:
		case <-stopping.Done():
		}
	}
}
