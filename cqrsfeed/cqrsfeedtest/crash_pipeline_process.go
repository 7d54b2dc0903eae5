package cqrsfeedtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// mostSteps is the last step that a process of a pipeline can be stopped at.
const mostSteps = 50

// keepAlive starts a process again and again, each time to be stopped at another step.
func (r *pipelineRound) keepAlive(ctx context.Context, role string, plan *rand.Rand, live func(*Process, *rand.Rand) error) {
	for n := 1; ctx.Err() == nil; n++ {
		p := r.newProcess(ctx, fmt.Sprintf("%s %d", role, n), rand.New(rand.NewPCG(plan.Uint64(), 8)))
		err := live(p, rand.New(rand.NewPCG(plan.Uint64(), 9)))
		if p.ctx.Err() == nil && err != nil {
			r.t.Errorf("%s %d, which was not stopped: %v", role, n, err)
		}
		p.cancel()
	}
}

func (r *pipelineRound) newProcess(ctx context.Context, name string, plan *rand.Rand) *Process {
	p := newProcess(ctx)
	last := 1 + plan.IntN(mostSteps)
	p.decide = func(step int, _ string) fate {
		f := fate{hold: plan.IntN(20) == 0}
		if step == last {
			f.after = plan.IntN(2) == 0
			f.before = !f.after
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.steps++
		r.changed.all()
		if r.calm {
			return fate{}
		}
		return f
	}
	p.hold = func(step string) { r.hold(p, name, step) }
	p.stopped = func(step int, command string, f fate) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.crashes++
		r.calm = r.crashes >= crashesPerRound
		r.trace = append(r.trace, fmt.Sprintf("%s is stopped at step %d %q, done: %t", name, step, command, f.after))
		r.changed.all()
	}
	return p
}

// hold lets a process stand still while the others take some steps. One at a time does, so that the others can;
// what it holds is delivered again.
func (r *pipelineRound) hold(p *Process, name, step string) {
	r.mu.Lock()
	if r.holding {
		r.mu.Unlock()
		return
	}
	r.holding = true
	r.trace = append(r.trace, fmt.Sprintf("%s stands still before %q", name, step))
	until := r.steps + 40
	r.mu.Unlock()
	r.broker.expire(p)
	r.await(p.ctx, func() bool { return r.calm || r.steps >= until })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holding = false
}

// await waits for a condition on what r.mu guards, or for the end of ctx.
func (r *pipelineRound) await(ctx context.Context, condition func() bool) {
	for ctx.Err() == nil {
		changed := r.changed.next()
		r.mu.Lock()
		reached := condition()
		r.mu.Unlock()
		if reached {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// serve is the life of a process that changes items and relays their events.
func (r *pipelineRound) serve(p *Process, dice *rand.Rand) error {
	p.locks = true
	model, closeModel, err := r.stores.WriteModel(p)
	if err != nil {
		return err
	}
	defer closeModel()
	relay, err := cqrsfeed.NewRelay(cqrsfeed.RelayConfig{
		Outbox: model.Outbox, Publisher: client{r.broker, p}, BatchSize: 5, PollInterval: 20 * time.Millisecond,
		MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
	}, nil)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { assert.NoError(r.t, relay.Run(p.ctx)) })
	for {
		r.await(p.ctx, func() bool { return r.calm || r.broker.unanswered() < mostBacklog })
		if p.ctx.Err() != nil {
			return nil
		}
		if !r.beginWrite() {
			<-p.ctx.Done()
			return nil
		}
		r.write(p, model.Repository, dice)
	}
}

// beginWrite says whether there is still to be written.
func (r *pipelineRound) beginWrite() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.calm {
		r.writing++
	}
	return !r.calm
}

// isCalm says whether nobody is stopped any more and the last change was made.
func (r *pipelineRound) isCalm() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calm && r.writing == 0
}

// write makes one change and remembers it if it was accepted.
func (r *pipelineRound) write(p *Process, repository cqrsfeed.Repository[Body], dice *rand.Rand) {
	id, known := r.anyID(dice)
	feeds := crashFeeds()
	dice.Shuffle(len(feeds), func(i, j int) { feeds[i], feeds[j] = feeds[j], feeds[i] })
	body := Body{Text: fmt.Sprintf("text %d", dice.IntN(1000)), Tags: feeds[:dice.IntN(len(feeds))]}
	var item cqrsfeed.Item[Body]
	var err error
	switch {
	case !known:
		item, err = repository.Create(p.ctx, id, body)
	case dice.IntN(10) == 0:
		item, err = repository.Delete(p.ctx, id)
	default:
		item, err = repository.Update(p.ctx, id, func(b *Body) error {
			*b = body
			return nil
		})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writing--
	switch {
	case err == nil:
		r.accepted[id] = max(r.accepted[id], item.Version)
		if item.Deleted {
			r.ids = slices.DeleteFunc(r.ids, func(other string) bool { return other == id })
		}
	case errors.Is(err, cqrsfeed.ErrNotFound): // it was not created, or it is deleted
		r.ids = slices.DeleteFunc(r.ids, func(other string) bool { return other == id })
	}
}

// anyID returns the id of an item, or a new one while there are few.
func (r *pipelineRound) anyID(dice *rand.Rand) (id string, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ids) > 0 && (len(r.ids) >= 6 || dice.IntN(2) == 0) {
		return r.ids[dice.IntN(len(r.ids))], true
	}
	r.made++
	id = fmt.Sprintf("post-%03d", r.made)
	r.ids = append(r.ids, id)
	return id, false
}

// project is the life of a process that projects events into feeds.
func (r *pipelineRound) project(p *Process, _ *rand.Rand) error {
	p.locks = r.stores.Feeds.HoldsLocks
	store, closeStore, err := r.stores.Feeds.Open(p)
	if err != nil {
		return err
	}
	defer closeStore()
	feeds, err := cqrsfeed.NewTagFeeds(cqrsfeed.TagFeedsConfig[Body]{
		Store:   boundStore{store, p},
		FeedsOf: func(item cqrsfeed.Item[Body]) []string { return item.Body.Tags },
	})
	if err != nil {
		return err
	}
	broker := client{r.broker, p}
	projector, err := cqrsfeed.NewProjector(cqrsfeed.ProjectorConfig{
		Subscriber: broker, Topics: r.stores.Topics.All(), Projection: feeds,
		Publisher: broker, UpdatesTopic: crashUpdates, PoisonTopic: crashPoison,
		Workers: 2, BatchSize: 5, SweepInterval: 50 * time.Millisecond,
		MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
	}, nil)
	if err != nil {
		return err
	}
	return projector.Run(p.ctx)
}
