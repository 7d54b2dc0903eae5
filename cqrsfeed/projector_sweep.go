package cqrsfeed

import (
	"context"
	"time"
)

// sweep calls a Sweeper at start and every SweepInterval. A failed sweep is logged and comes again: it is
// never the only way to a right state within the interval.
func (p *Projector) sweep(stopping, work context.Context) {
	sweeper, ok := p.config.Projection.(Sweeper)
	if !ok {
		return
	}
	tick := time.NewTicker(p.config.SweepInterval)
	defer tick.Stop()
	for stopping.Err() == nil {
		updates, err := sweeper.Sweep(work)
		if err == nil {
			err = p.publish(p.config.UpdatesTopic, updates)
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
