package demo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/ssestream"
)

// The phases of a demonstration, in their order.
const (
	PhaseWriting  = "writing"
	PhaseSettling = "settling" // nothing is written, and what was accepted is on its way
	PhaseAuditing = "auditing"
	PhaseDone     = "done"
)

const (
	calm      = 3 * time.Second // writing before and after a fault
	patience  = 60 * time.Second
	pollEvery = 200 * time.Millisecond
)

// run is a demonstration.
type run struct {
	demo    *Demo
	order   Order
	stopped chan struct{}
	stop    func()
	writer  *writer

	mu     sync.Mutex
	r      Report
	before ssestream.Stats
	after  *ssestream.Stats // once it is over
}

func newRun(d *Demo, o Order) *run {
	stopped := make(chan struct{})
	r := &run{demo: d, order: o, stopped: stopped, stop: sync.OnceFunc(func() { close(stopped) }), writer: newWriter(d.config)}
	r.r = Report{Name: o.Fault, Phase: PhaseWriting, Rate: o.Rate, Windows: o.Windows, Started: time.Now(), Lasts: d.config.Times.Load.Seconds()}
	if o.Fault == "" {
		r.r.Name = "load"
	} else {
		r.r.Lasts = (d.config.Times.Fault + 2*calmOf(d.config)).Seconds()
	}
	r.before = d.router.Stats()
	return r
}

// calmOf is shorter for short faults, as in tests.
func calmOf(c Config) time.Duration { return min(calm, c.Times.Fault) }

func (r *run) over() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.Phase == PhaseDone
}

// do runs the demonstration to its end.
func (r *run) do(ctx context.Context) {
	defer r.end()
	r.demo.config.Ring.OnShown(r.writer.shown)
	defer r.demo.config.Ring.OnShown(nil)
	count, err := r.count(ctx)
	if err != nil {
		r.fail("count the posts of #"+Tag, err)
		return
	}
	r.update(func(report *Report) { report.Before = count })
	windows, closeWindows := context.WithCancel(ctx)
	closing := r.demo.openWindows(windows, r.order.Windows)
	defer closing()
	defer closeWindows()

	writing, stopWriting := context.WithCancel(ctx)
	defer stopWriting()
	written := make(chan struct{})
	go func() {
		defer close(written)
		r.writer.write(writing, r.order.Rate, r.order.Fault != "")
	}()
	r.schedule(ctx)
	stopWriting()
	<-written
	r.phase(PhaseSettling)
	r.settle(ctx)
	r.phase(PhaseAuditing)
	r.audit(ctx)
}

// schedule waits while posts are written, and has the fault in the middle of that.
func (r *run) schedule(ctx context.Context) {
	if r.order.Fault == "" {
		r.wait(ctx, r.demo.config.Times.Load)
		return
	}
	quiet := calmOf(r.demo.config)
	if r.wait(ctx, quiet) {
		r.fault(ctx)
		r.wait(ctx, quiet)
	}
}

// fault has the fault last, and takes it back whatever happens.
func (r *run) fault(ctx context.Context) {
	lasting, end := context.WithTimeout(ctx, r.demo.config.Times.Fault)
	defer end()
	until := time.Now().Add(r.demo.config.Times.Fault)
	r.update(func(report *Report) { report.FaultUntil = &until })
	defer r.update(func(report *Report) { report.FaultUntil, report.Struck = nil, r.demo.faults.struck.Load() })
	defer r.demo.faults.begin(r.order.Fault)()
	var acting sync.WaitGroup
	defer acting.Wait()
	defer end()
	switch r.order.Fault {
	case FaultStreams:
		acting.Go(func() { r.demo.cut(lasting) })
	case FaultSlow:
		acting.Go(func() { r.demo.slowWindow(lasting) })
	}
	r.wait(lasting, r.demo.config.Times.Fault)
}

// wait reports whether the time passed, and nobody stopped the demonstration. Meanwhile it looks how much waits.
func (r *run) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	looks := time.NewTicker(pollEvery)
	defer looks.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case <-looks.C:
			r.look(ctx)
		case <-r.stopped:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// look notes how many posts are in the feed, how many events wait in the outbox, and how often the fault struck. It
// reports whether nothing waits.
func (r *run) look(ctx context.Context) (idle bool) {
	count, countErr := r.count(ctx)
	backlog, err := r.demo.config.Outbox.Backlog(ctx)
	r.update(func(report *Report) {
		if countErr == nil {
			report.InFeed = count - report.Before
		}
		if report.FaultUntil != nil {
			report.Struck = r.demo.faults.struck.Load()
		}
		report.MostWaiting = max(report.MostWaiting, backlog.Waiting)
	})
	return countErr == nil && err == nil && backlog.Waiting == 0
}

// settle waits until the feed has all posts that were accepted, or patience ends.
func (r *run) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticks := time.NewTicker(pollEvery)
	defer ticks.Stop()
	for ctx.Err() == nil {
		if r.look(ctx) && r.report().InFeed >= r.writer.accepted.Load() {
			return
		}
		select {
		case <-ctx.Done():
		case <-ticks.C:
		}
	}
}

func (r *run) count(ctx context.Context) (int64, error) {
	page, err := r.demo.config.Feeds.Page(ctx, Tag, "", 1)
	return page.Feed.Count, err
}

// audit compares the whole read model with the posts, without the faults.
func (r *run) audit(ctx context.Context) {
	summary, err := readmodel.Audit(ctx, readmodel.AuditConfig[post.Post]{
		Source: r.demo.config.Posts, Store: r.demo.config.Feeds, FeedsOf: post.FeedsOf, RuleVersion: post.FeedsRule,
	})
	if err != nil {
		r.fail("audit the feeds", err)
		return
	}
	r.update(func(report *Report) {
		report.Audit = &Audit{Items: summary.Items, Feeds: summary.Feeds, Drifts: summary.Drifts, Unsettled: summary.Unsettled}
	})
}

func (r *run) fail(doing string, err error) {
	r.update(func(report *Report) { report.Error = fmt.Sprintf("%s: %v", doing, err) })
}

func (r *run) phase(phase string) {
	r.update(func(report *Report) { report.Phase = phase })
}

func (r *run) end() {
	stats := r.demo.router.Stats()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.r.Phase, r.after = PhaseDone, &stats
}

func (r *run) update(change func(*Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.r)
}
