package feedmill

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/internal/config"
)

// Operations returns the page for operators, see operate.Handler: what waits and what was set aside, the projections and their
// pauses, rebuilds and audits, and the streams of this instance. On an address of its own the App serves it by itself:
// Config.Operators. Elsewhere:
//
//	page, err := app.Operations()
//	…
//	mux.Handle("/operations", onlyOperators(page))
//
// The page shows events and deletes messages, and does not authorize its users: the application must. Feeds and tables of a repository can be rebuilt and audited; AddReadModel adds others. Call
// Operations once, before Run, when all projections and read models are added.
func (a *App) Operations() (http.Handler, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var p config.Problems
	p.Check(!a.started, "the app runs already")
	p.Check(a.operations == nil, "Operations was called before")
	if err := p.Join(); err != nil {
		return nil, fmt.Errorf("operations: %w", err)
	}
	c := operate.HandlerConfig{Outbox: a.config.Outbox, ReadModels: a.readModels, Streams: a.streams}
	for _, projection := range a.projections {
		c.Projections = append(c.Projections, projection.Projector)
	}
	if broker := a.config.Broker; broker != nil && broker.Poison != nil {
		c.Poison, c.PoisonPublisher = broker.Poison, broker.Publisher
	}
	var err error
	a.operations, err = operate.NewHandler(c)
	return a.operations, err
}

// streams are those that the page shows.
func (a *App) streams() iter.Seq[operate.Stream] {
	return func(yield func(operate.Stream) bool) {
		for key := range a.router.Keys() {
			stream := operate.Stream{Topics: key.Topics, Key: key.Key, Clients: key.Clients}
			if key.Stale != nil {
				stream.Stale = key.Stale.Error()
			}
			if !yield(stream) {
				return
			}
		}
	}
}

// AddReadModel adds a read model to the page of App.Operations, such as a second store of feeds that will replace the first.
// AddFeeds and AddTable add theirs.
//
// Names are unique. The Outbox of the target is not used. It is a function because methods have no type parameters.
func AddReadModel[T any](a *App, name string, target operate.Target[T]) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var p config.Problems
	p.Require(name != "", "name")
	p.Require(target.Source != nil, "Source")
	p.Require(target.Store != nil, "Store")
	p.Check(a.operations == nil, "Operations was called before")
	if err := p.Join(); err != nil {
		return fmt.Errorf("add read model %q: %w", name, err)
	}
	a.readModels = append(a.readModels, operate.NewReadModel(name, target))
	return nil
}

// withApp adds what operators work on beside a read model: the outbox, the poison topic, and what waits at the broker for the
// projection.
func withApp[T any](target operate.Target[T], app Config, projection projector.Config) operate.Target[T] {
	target.Outbox = app.Outbox
	if app.Broker == nil {
		return target
	}
	target.Poison = app.Broker.Poison
	config.Default(&projection.Subscriber, app.Broker.Work)
	if waiting, ok := projection.Subscriber.(projector.Backlogger); ok {
		target.AtBroker = []operate.AtBroker{{Projection: projection.Name, Topics: projection.Topics, Subscriber: waiting}}
	}
	return target
}

// runOperations runs the rebuilds and audits that operators ask for, if there is a page for them.
func (a *App) runOperations(ctx context.Context) error {
	if a.operations == nil {
		return nil
	}
	return a.operations.Run(ctx)
}

// addOperators makes the page for Config.Operators, unless the application has asked for it.
func (a *App) addOperators() error {
	a.mu.Lock()
	wanted := a.config.Operators != nil && a.operations == nil && !a.started
	a.mu.Unlock()
	if !wanted {
		return nil
	}
	_, err := a.Operations()
	return err
}

// serveOperators serves the page on Config.Operators.
func (a *App) serveOperators(ctx context.Context) error {
	if a.config.Operators == nil {
		return nil
	}
	server := &http.Server{Handler: operate.ByAddress(a.operations), ReadTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // no request is worth waiting for
	if err := server.Serve(a.config.Operators); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
