package cqrsfeed

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// sweepRest is how long there is no sweep after one, in multiples of what it took: nine times, so that sweeps take at
// most a tenth of the time.
const sweepRest = 9

// sweep calls a Sweeper at start and every SweepInterval, or later when it takes long. A failed sweep is logged and comes again, and what
// could not be announced is announced with the next one: the sweep itself does not find it again.
func (p *Projector) sweep(stopping, work context.Context) {
	sweeper, ok := p.config.Projection.(Sweeper)
	if !ok {
		return
	}
	var untold []*message.Message
	for stopping.Err() == nil {
		began := time.Now()
		updates, err := sweeper.Sweep(work)
		rest := max(p.config.SweepInterval, sweepRest*time.Since(began))
		untold = append(untold, updates...)
		if refused := p.publish(p.config.UpdatesTopic, untold); refused == nil {
			untold = nil
		} else {
			err = errors.Join(err, refused)
		}
		if err != nil {
			p.logger.Error("Projector could not sweep, will retry", err, nil)
		}
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-stopping.Done():
		}
		timer.Stop()
	}
}
