package crashtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
)

// ErrStopped is returned for the commands of a stopped process.
var ErrStopped = errors.New("the process was stopped")

// Process is a process of a test. Its steps are the commands of its drivers, its publications and its acknowledgements. The test
// stops or pauses it at one of them. An adapter must send every command of the process's connections through Step. Connector
// does that for SQL drivers.
type Process struct {
	ctx     context.Context //nolint:containedctx // the life of the process
	cancel  context.CancelFunc
	decide  func(step int, name string) fate
	hold    func(name string)
	stopped func(step int, name string, f fate)
	// oneByOne serializes commands, so that a paused process has none under way.
	oneByOne bool
	// locks says that commands may hold locks, which a paused process must not.
	locks bool

	turn  sync.Mutex // of commands, if oneByOne
	mu    sync.Mutex
	steps int
}

// fate is what happens to a process at a step.
type fate struct {
	hold   bool // it is paused before the step
	before bool // it stops before the step
	after  bool // it stops after the step, without the result
}

// fateAt draws the fate of a step: about one of so many steps is a pause, and the process ends before or after the last one.
func fateAt(plan *rand.Rand, pauses, step, last int) fate {
	f := fate{hold: plan.IntN(pauses) == 0}
	if step == last {
		f.after = plan.IntN(2) == 0
		f.before = !f.after
	}
	return f
}

// Step runs one command that changes or reads what other processes see. The command must return only when it has its
// effect. If the process has stopped or stops before this step, Step returns ErrStopped and does not run the command. If
// the process stops after this step, Step runs the command and returns ErrStopped. Step blocks while the process is
// paused. The name appears in failures. Step is safe for concurrent use.
func (p *Process) Step(name string, command func() error) error {
	return p.step(name, !p.locks, command)
}

// Context returns a context that ends when the process stops, for drivers that would go on trying.
func (p *Process) Context() context.Context { return p.ctx }

func (p *Process) step(name string, mayHold bool, command func() error) error {
	if p.oneByOne {
		p.turn.Lock()
		defer p.turn.Unlock()
	}
	step, f, err := p.next(name)
	if err != nil {
		return err
	}
	if f.hold && mayHold {
		p.hold(name)
		if p.ctx.Err() != nil {
			return ErrStopped
		}
	}
	if f.before {
		p.stop(step, name, f)
		return ErrStopped
	}
	err = command()
	if f.after {
		p.stop(step, name, f)
		return ErrStopped
	}
	return err
}

// next counts a step and returns what happens at it.
func (p *Process) next(name string) (int, fate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return 0, fate{}, ErrStopped
	}
	p.steps++
	return p.steps, p.decide(p.steps, name), nil
}

func (p *Process) stop(step int, name string, f fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return // a concurrent command was its last
	}
	p.stopped(step, name, f)
	p.cancel()
}

// NewProcess returns a process for other tests. It stops after the step last, whose result it does not receive. If last is 0 it
// never stops. A test that increments last until the process is not stopped has covered every crash.
func NewProcess(ctx context.Context, last int) *Process {
	p := newProcess(ctx)
	p.decide = func(step int, _ string) fate { return fate{after: step == last} }
	return p
}

// newProcess returns a process that is neither stopped nor paused.
func newProcess(ctx context.Context) *Process {
	p := &Process{
		decide:  func(int, string) fate { return fate{} },
		hold:    func(string) {},
		stopped: func(int, string, fate) {},
	}
	p.ctx, p.cancel = context.WithCancel(ctx)
	return p
}
