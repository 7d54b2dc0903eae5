package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/internal/panics"
)

// ReadModel is a read model that operators can rebuild and audit by a [Handler].
type ReadModel struct {
	name   string
	clears bool // it can be rebuilt from nothing
	work   func(ctx context.Context, kind work, after string, results io.Writer, shown progress) error
}

// NewReadModel returns a read model by its name, which must be unique in a Handler. The Outbox of the target is not used.
func NewReadModel[T any](name string, target Target[T]) *ReadModel {
	return &ReadModel{name: name, clears: target.Clear != nil, work: target.work}
}

// work is a kind of job.
type work string

const (
	workRebuild work = "rebuild"
	workRemake  work = "remake"
	workAudit   work = "audit"
	workRepair  work = "repair"
)

// job is a rebuild or an audit of this process, running or ended.
type job struct {
	stop context.CancelFunc

	mu    sync.Mutex
	state JobState
	lines progressLines // whose text is shown
}

// JobState is the state of a rebuild or an audit.
type JobState struct {
	// Work is rebuild, remake, audit or repair.
	Work  string    `json:"work"`
	Began time.Time `json:"began"`
	// Ended is zero while it runs. Failure is why it failed, "" if it did not.
	Ended   time.Time `json:"ended,omitzero"`
	Failure string    `json:"failure,omitempty"`
	// Progress is a line about how far it has come, and Results are its last lines of results.
	Progress string   `json:"progress"`
	Results  []string `json:"results"`
	// After is the ID up to which a rebuild is done.
	After string `json:"after,omitempty"`
}

// resultLines is how many lines of results a job keeps.
const resultLines = 200

// Write implements io.Writer. Each call has one line of results. The last lines are kept.
func (j *job) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.Results = append(j.state.Results, strings.TrimSuffix(string(line), "\n"))
	if more := len(j.state.Results) - resultLines; more > 0 {
		j.state.Results = j.state.Results[more:]
	}
	return len(line), nil
}

func (j *job) begin(total int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines.begin(total)
}

func (j *job) show(summary readmodel.RebuildSummary) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines.shown = summary
	j.state.After, j.state.Progress = summary.After, j.lines.text()
}

func (j *job) end() {}

func (j *job) showAudit(summary readmodel.AuditSummary) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.Progress = plural(summary.Items, "item") + ", " + plural(summary.Feeds, "feed")
}

// ended notes the end.
func (j *job) ended(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.Ended = time.Now()
	if err != nil {
		j.state.Failure = err.Error()
	}
}

// now returns a copy of the state.
func (j *job) now() JobState {
	j.mu.Lock()
	defer j.mu.Unlock()
	state := j.state
	state.Results = append([]string{}, j.state.Results...)
	return state
}

func (j *job) running() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.Ended.IsZero()
}

// jobs are the rebuilds and audits of a Handler: at most one at a time for each read model.
type jobs struct {
	mu      sync.Mutex
	life    context.Context //nolint:containedctx // the context of Run, which outlives requests
	running sync.WaitGroup
	last    map[string]*job // by read model
	begun   chan struct{}
}

func newJobs() jobs { return jobs{last: make(map[string]*job), begun: make(chan struct{})} }

var (
	errNotRunning = &statusError{"this instance is not running, or is stopping", http.StatusServiceUnavailable}
	errBusy       = &statusError{"a rebuild or an audit of the read model runs already", http.StatusConflict}
)

// run lets jobs run until ctx ends, and waits for them.
func (js *jobs) run(ctx context.Context) error {
	js.mu.Lock()
	if js.life != nil {
		js.mu.Unlock()
		return errors.New("operations: Run was called before")
	}
	js.life = ctx
	js.mu.Unlock()
	close(js.begun)
	<-ctx.Done()
	js.mu.Lock()   // a job that begins after this sees the end of ctx
	js.mu.Unlock() //nolint:staticcheck // the lock orders the two
	js.running.Wait()
	return nil
}

// start begins a job.
func (js *jobs) start(m *ReadModel, kind work, after string) error {
	js.mu.Lock()
	defer js.mu.Unlock()
	if js.life == nil || js.life.Err() != nil {
		return errNotRunning
	}
	if last := js.last[m.name]; last != nil && last.running() {
		return errBusy
	}
	ctx, stop := context.WithCancel(js.life)
	j := &job{stop: stop, state: JobState{Work: string(kind), Began: time.Now(), After: after}}
	js.last[m.name] = j
	js.running.Go(func() {
		defer stop()
		var err error
		if raised := panics.Aside(func() { err = m.work(ctx, kind, after, j, j) }); raised != nil {
			err = fmt.Errorf("panic: %v\n%s", raised.Reason, raised.Stack)
		}
		j.ended(err)
	})
	return nil
}

// stop ends a job with an error.
func (js *jobs) stop(name string) {
	js.mu.Lock()
	defer js.mu.Unlock()
	if last := js.last[name]; last != nil {
		last.stop()
	}
}

// of returns the last job of a read model, or nil.
func (js *jobs) of(name string) *JobState {
	js.mu.Lock()
	defer js.mu.Unlock()
	last := js.last[name]
	if last == nil {
		return nil
	}
	state := last.now()
	return &state
}
