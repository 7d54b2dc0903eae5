package crashtest

import (
	"context"
	"errors"
	"sync"
)

// ErrStopped is what a command of a stopped process gets instead of an answer.
var ErrStopped = errors.New("the process was stopped")

// Process is a process of a crash test. What it does to the world are its steps: the commands that its
// drivers send, what it publishes, what it acknowledges. The test stops the process at one of them, or
// makes it stand still there for a while. Adapters take part by sending every command of a process's
// connections through Step; SQL drivers are wrapped by Connector.
type Process struct {
	ctx     context.Context //nolint:containedctx // the life of the process
	cancel  context.CancelFunc
	decide  func(step int, name string) fate
	hold    func(name string)
	stopped func(step int, name string, f fate)
	// oneByOne makes commands that are sent beside each other wait for each other, so that a process that
	// stands still has nothing under way.
	oneByOne bool
	// locks says that driver commands may leave locks behind, which a process that stands still must not.
	locks bool

	turn  sync.Mutex // of commands, if oneByOne
	mu    sync.Mutex
	steps int
}

// fate is what happens to a process at a step.
type fate struct {
	hold   bool // stands still before the step
	before bool // stops before the step
	after  bool // stops when the step has been done and before it hears of it
}

// Step runs one command that changes or reads what other processes see. The command must come back only when
// it has its effect. When the process has stopped, or stops before this step, Step returns ErrStopped
// without running it; when the process stops behind this step, it runs it and returns ErrStopped. It may
// block for as long as the process is to stand still. Name is for the reader of a failure.
//
// Any number of goroutines of the process may call it.
func (p *Process) Step(name string, command func() error) error {
	return p.step(name, !p.locks, command)
}

// Context ends when the process stops, for drivers that would go on trying otherwise.
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

// next counts a step and says what happens at it.
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
		return // beside this command another one was its last
	}
	p.stopped(step, name, f)
	p.cancel()
}

// NewProcess makes a process for a test of one's own: it stops when its last step has been done and before it hears
// of that, or never if last is 0. A test that goes through 1, 2, 3 until nothing is stopped has seen every crash.
func NewProcess(ctx context.Context, last int) *Process {
	p := newProcess(ctx)
	p.decide = func(step int, _ string) fate { return fate{after: step == last} }
	return p
}

// newProcess makes a process that nothing happens to.
func newProcess(ctx context.Context) *Process {
	p := &Process{
		decide:  func(int, string) fate { return fate{} },
		hold:    func(string) {},
		stopped: func(int, string, fate) {},
	}
	p.ctx, p.cancel = context.WithCancel(ctx)
	return p
}
