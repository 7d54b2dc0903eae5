package feedmill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/ssestream"
)

// parts are goroutines whose errors are collected.
type parts struct {
	sync.WaitGroup

	mu   sync.Mutex
	errs []error
}

// run runs a part and calls ended if it returns an error.
func (p *parts) run(name string, run func() error, ended context.CancelFunc) {
	p.Go(func() {
		if err := run(); err != nil {
			p.mu.Lock()
			p.errs = append(p.errs, fmt.Errorf("%s: %w", name, err))
			p.mu.Unlock()
			ended()
		}
	})
}

func (p *parts) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.errs...)
}

// Run runs the relay, the projections and the router until ctx ends, and returns when all of them have stopped. First the
// streams end and the relay stops, then the projections: some brokers drop messages without a subscriber, which the relay
// would then delete. Current batches are finished. Run returns an error if a part cannot go on, or does not stop in time. Call
// it once. To serve HTTP as well, use ListenAndServe.
func (a *App) Run(ctx context.Context) error {
	if err := a.addOperators(); err != nil {
		return err
	}
	a.mu.Lock()
	started := a.started
	a.started = true
	a.mu.Unlock()
	if started {
		return errors.New("app: Run was called before")
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	projecting, stopProjections := context.WithCancel(context.WithoutCancel(ctx))
	defer stopProjections()

	var first, last parts
	for _, p := range a.projections {
		last.run("projection "+p.name, func() error { return p.Run(projecting) }, stop)
	}
	first.run("router", func() error {
		if err := a.router.Run(working); !errors.Is(err, ssestream.ErrClosed) { // a stop may come before the start
			return err
		}
		return nil
	}, stop)
	first.run("operations", func() error { return a.runOperations(working) }, stop)
	first.run("operators' page", func() error { return a.serveOperators(working) }, stop)
	if a.subscribed(working) {
		close(a.running)
		if a.relay != nil {
			first.run("relay", func() error { return a.relay.Run(working) }, stop)
		}
		<-working.Done()
	}
	a.closeStopping()
	first.Wait()
	stopProjections()
	last.Wait()
	return errors.Join(first.err(), last.err())
}

// subscribed waits until the projections and the router are subscribed, and operators are served, and reports whether they are.
func (a *App) subscribed(ctx context.Context) bool {
	running := []<-chan struct{}{a.router.Running()}
	for _, p := range a.projections {
		running = append(running, p.Running())
	}
	if a.operations != nil {
		running = append(running, a.operations.Running())
	}
	for _, part := range running {
		select {
		case <-part:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// Running is closed when the projections and the router are subscribed to their topics, and the page of Operations, if there
// is one, to its own.
func (a *App) Running() <-chan struct{} { return a.running }

// readyTimeout bounds Ready, so that a server that hangs counts as one that is away.
const readyTimeout = 3 * time.Second

// Ready returns nil if the App is running, no stop has begun, and all Config.Checks succeed within three seconds. It ignores
// topics that cannot be published and states that cannot be loaded: another instance would fail in the same way. Metrics and
// ssestream.Router.Check report those.
func (a *App) Ready(ctx context.Context) error {
	select {
	case <-a.running:
	default:
		return errors.New("the router and the projections are not running yet")
	}
	select {
	case <-a.stopping:
		return errors.New("the app is stopping")
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	var errs []error
	for _, check := range a.config.Checks {
		errs = append(errs, check(ctx))
	}
	return errors.Join(errs...)
}

// ServeReady responds to the probe of an orchestrator or a load balancer: with 200 if Ready returns nil, and otherwise with 503
// and the text of the error, which may name servers. The text of a 200 names stale keys, by ssestream.Router.Check.
func (a *App) ServeReady(w http.ResponseWriter, r *http.Request) {
	if err := a.Ready(r.Context()); err != nil {
		a.logger.Info("Not ready", watermill.LogFields{"reason": err.Error()})
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	text := "ready\n"
	if err := a.router.Check(r.Context()); err != nil {
		text += "but " + err.Error() + "\n"
	}
	_, _ = io.WriteString(w, text) // a prober that is gone needs no answer
}

// CheckReady returns nil if the App behind url, where ServeReady serves it, is ready. Otherwise the error has what it
// responded. It is for a command of the application that a container's health check runs: a small image has no other HTTP
// client. It takes five seconds at most.
func CheckReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask whether the app is ready: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask whether the app is ready: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("ask whether the app is ready: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", body)
	}
	return nil
}
