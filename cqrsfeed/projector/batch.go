package projector

import (
	"context"
	"time"
)

// gatherer forms batches: whatever came while the last batch was being applied, and, when messages come
// faster than one at a time, what comes within a short wait.
type gatherer struct {
	deliveries <-chan delivery
	size       int
	wait       time.Duration
	busy       bool // the last batch had company
}

// next blocks for a message and returns it with its company. It returns nothing once stopping is done or wake
// receives, and without room it waits for these alone.
func (g *gatherer) next(stopping context.Context, wake <-chan time.Time, room bool) []delivery {
	var batch []delivery
	deliveries := g.deliveries
	if !room {
		deliveries = nil
	}
	asked := time.Now()
	select {
	case <-stopping.Done():
		return nil
	case <-wake:
		return nil
	case first := <-deliveries:
		if stopping.Err() != nil {
			first.settle(false)
			return nil
		}
		batch = append(batch, first)
	}
	batch = g.takeWaiting(batch)
	if time.Since(asked) > g.wait {
		g.busy = false // whatever came before is over
	}
	if g.busy && len(batch) < g.size {
		batch = g.await(stopping, batch)
	}
	g.busy = len(batch) > 1
	return batch
}

// takeWaiting adds what is there already.
func (g *gatherer) takeWaiting(batch []delivery) []delivery {
	for len(batch) < g.size {
		select {
		case d := <-g.deliveries:
			batch = append(batch, d)
		default:
			return batch
		}
	}
	return batch
}

// await adds what comes within the wait.
func (g *gatherer) await(stopping context.Context, batch []delivery) []delivery {
	timer := time.NewTimer(g.wait)
	defer timer.Stop()
	for len(batch) < g.size {
		select {
		case d := <-g.deliveries:
			batch = append(batch, d)
		case <-timer.C:
			return batch
		case <-stopping.Done():
			return batch
		}
	}
	return batch
}
