package crashtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

const (
	// mostSteps is the last step at which a process is stopped.
	mostSteps = 50
	// crowdSize is how many items are created at once at times.
	crowdSize = 8
	// newest is how many items are changed, so that changes of an item coincide.
	newest = 6
)

// keepAlive runs one process after the other, each of which is stopped at another step.
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
		f := fateAt(plan, 20, step, last)
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

// hold pauses a process while the others take some steps, or for a second if they have nothing to do. What it holds is
// delivered again. One process at a time is paused.
func (r *pipelineRound) hold(p *Process, name, step string) {
	r.mu.Lock()
	if r.holding {
		r.mu.Unlock()
		return
	}
	r.holding = true
	r.trace = append(r.trace, fmt.Sprintf("%s is paused before %q", name, step))
	until := r.steps + 40
	r.mu.Unlock()
	r.broker.expire(p)
	end := time.Now().Add(time.Second)
	defer time.AfterFunc(time.Second, r.changed.all).Stop()
	r.await(p.ctx, func() bool { return r.calm || r.steps >= until || !time.Now().Before(end) })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holding = false
}

// await waits for a condition on what r.mu guards, or until ctx ends.
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

// serve is a process that changes items and relays their events.
func (r *pipelineRound) serve(p *Process, dice *rand.Rand) error {
	p.locks = true
	model, closeModel, err := r.open(p)
	if err != nil {
		return err
	}
	defer closeModel()
	relay, err := outbox.NewRelay(outbox.RelayConfig{
		Outbox: model.Outbox, Publisher: client{r.broker, p}, BatchSize: 5, PollInterval: 20 * time.Millisecond,
		MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
	}, watermill.NopLogger{})
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
		writes := []func(){func() { r.write(p, model.Repository, dice) }}
		if dice.IntN(4) == 0 {
			writes = r.crowd(p, model.Repository, dice)
		}
		if !r.beginWrites(len(writes)) {
			<-p.ctx.Done()
			return nil
		}
		var beside sync.WaitGroup
		for _, write := range writes {
			beside.Go(write)
		}
		beside.Wait()
	}
}

// beginWrites reports whether more is to be written.
func (r *pipelineRound) beginWrites(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.calm {
		r.writing += n
	}
	return !r.calm
}

// isCalm reports whether no process is stopped any more and the last change was made.
func (r *pipelineRound) isCalm() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calm && r.writing == 0
}

// write makes one change.
func (r *pipelineRound) write(p *Process, repository cqrsfeed.Repository[model.Body], dice *rand.Rand) {
	id, known := r.anyID(dice)
	body := anyBody(dice)
	var item cqrsfeed.Item[model.Body]
	var err error
	switch {
	case !known:
		item, err = r.create(p, repository, id, body)
	case dice.IntN(10) == 0:
		item, err = repository.Delete(p.ctx, id)
	case dice.IntN(20) == 0:
		item, err = repository.Erase(p.ctx, id)
	default:
		item, err = repository.Update(p.ctx, id, func(b *model.Body) error {
			*b = body
			return nil
		})
	}
	r.wrote(id, item, err)
}

// wrote records a change that was accepted.
func (r *pipelineRound) wrote(id string, item cqrsfeed.Item[model.Body], err error) {
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

// crowd returns creations for the same moment, which a store may group. Some have ids that are taken, or that another one
// of them takes.
func (r *pipelineRound) crowd(p *Process, repository cqrsfeed.Repository[model.Body], dice *rand.Rand) []func() {
	writes := make([]func(), 0, crowdSize)
	for range crowdSize {
		id, among := r.knownID(dice)
		if among == 0 || dice.IntN(10) > 0 {
			id = r.newID()
		}
		body := anyBody(dice)
		writes = append(writes, func() {
			item, err := r.create(p, repository, id, body)
			r.wrote(id, item, err)
		})
	}
	return writes
}

// create creates an item, which may exist if there was another attempt.
func (r *pipelineRound) create(p *Process, repository cqrsfeed.Repository[model.Body], id string, body model.Body) (cqrsfeed.Item[model.Body], error) {
	r.mu.Lock()
	r.creators[id]++
	r.mu.Unlock()
	item, err := repository.Create(p.ctx, id, body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(err, cqrsfeed.ErrExists) && r.creators[id] == 1 {
		r.t.Errorf("create an item for the first time: %v", err)
	}
	return item, err
}

const refusedScore = -1 // of a body that no feed takes

func anyBody(dice *rand.Rand) model.Body {
	feeds := crashFeeds()
	dice.Shuffle(len(feeds), func(i, j int) { feeds[i], feeds[j] = feeds[j], feeds[i] })
	body := model.Body{Text: fmt.Sprintf("text %d", dice.IntN(1000)), Tags: feeds[:dice.IntN(len(feeds))]}
	if dice.IntN(12) == 0 {
		body.Score = refusedScore
	}
	return body
}

// anyID returns the id of an item, or now and then a new one.
func (r *pipelineRound) anyID(dice *rand.Rand) (id string, known bool) {
	id, among := r.knownID(dice)
	if among >= newest && dice.IntN(newest) > 0 || among > 0 && dice.IntN(2) == 0 {
		return id, true
	}
	return r.newID(), false
}

// knownID returns the id of one of the newest items, and the number of those.
func (r *pipelineRound) knownID(dice *rand.Rand) (id string, among int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	among = min(len(r.ids), newest)
	if among > 0 {
		id = r.ids[len(r.ids)-1-dice.IntN(among)]
	}
	return id, among
}

func (r *pipelineRound) newID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made++
	id := fmt.Sprintf("post-%03d", r.made)
	r.ids = append(r.ids, id)
	return id
}

// project is a process that projects events.
func (r *pipelineRound) project(p *Process, _ *rand.Rand) error {
	p.locks = r.read.holdsLocks()
	projection, updates, closeIt, err := r.read.open(p)
	if err != nil {
		return err
	}
	defer closeIt()
	broker := client{r.broker, p}
	proj, err := projector.New(projector.Config{
		Subscriber: broker, Topics: r.topics.All(), Projection: boundProjection{projection, p},
		Publisher: broker, UpdatesTopic: updates, PoisonTopic: crashPoison,
		Workers: 2, BatchSize: 5, SweepInterval: 50 * time.Millisecond,
		MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
	}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	return proj.Run(p.ctx)
}
