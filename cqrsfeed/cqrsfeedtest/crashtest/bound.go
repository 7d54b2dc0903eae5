package crashtest

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// boundProjection ends calls when their process stops: drivers would go on trying for a while.
type boundProjection struct {
	projector.Projection

	process *Process
}

// Apply implements projector.Projection.
func (p boundProjection) Apply(ctx context.Context, batch []*message.Message) ([]*message.Message, error) {
	ctx, release := p.bind(ctx)
	defer release()
	return p.Projection.Apply(ctx, batch)
}

// Sweep implements projector.Projection.
func (p boundProjection) Sweep(ctx context.Context) ([]*message.Message, error) {
	ctx, release := p.bind(ctx)
	defer release()
	return p.Projection.Sweep(ctx)
}

// bind returns a context that also ends when the process stops.
func (p boundProjection) bind(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	unbind := context.AfterFunc(p.process.ctx, cancel)
	return ctx, func() {
		unbind()
		cancel()
	}
}
