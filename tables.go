package feedmill

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/internal/config"
)

// TableConfig configures a Table.
type TableConfig[T any] struct {
	// Name is the name of the projection and of its read model. Its Topic begins with it. Required.
	Name string
	// Items is the repository of the items, whose events are applied, or ItemsElsewhere. Its name is the kind of their tokens.
	// Required.
	Items Items[T]
	// Projection is the result of NewTableProjection of a store. Required.
	Projection TableProjection[T]
	// Clear empties the table, as in operate.Target:
	//
	//	Clear: func(ctx context.Context) error { return leaderboard.Clear(ctx, clearVotes) }
	//
	// Defaults to none: operators cannot clear and rebuild it.
	Clear func(ctx context.Context) error
	// Projector tunes the projector. Name, Topics, Projection and UpdatesTopic are set by AddTable.
	Projector projector.Config
}

// TableProjection is what NewTableProjection of a store returns.
type TableProjection[T any] interface {
	projector.Projection
	Model() readmodel.Store[T]
}

// Validate returns all problems of the configuration, joined.
func (c TableConfig[T]) Validate() error {
	var p config.Problems
	p.Require(c.Name != "", "Name")
	p.Require(c.Items != nil, "Items")
	p.Require(c.Projection != nil, "Projection")
	return p.Join()
}

// Table is a table projection of one kind of item in an App.
type Table[T any] struct{ config TableConfig[T] }

// AddTable adds a table projection to an App:
//
//	board, err := feedmill.AddTable(app, feedmill.TableConfig[Song]{Name: "leaderboard", Items: songs, Projection: leaderboard})
//	…
//	http.HandleFunc("GET /leaders", app.Handle(leaders, board.Topic()))
//
// Reads that follow Topic wait for the writes of their tokens. Operators can rebuild and audit the table by the page of
// App.Operations, if Items is a repository; pages that follow Topic load again meanwhile. It is a function because methods have no
// type parameters.
func AddTable[T any](a *App, c TableConfig[T]) (*Table[T], error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("table config: %w", err)
	}
	t := &Table[T]{config: c}
	p := c.projector()
	p.Projection = projector.Forward(c.Projection)
	if err := a.AddProjection(p); err != nil {
		return nil, err
	}
	a.await(c.Items.Name(), t.Topic(), c.Projection.Model())
	if target, err := c.target(a.updatesPublisher()); err == nil {
		return t, AddReadModel(a, c.Name, target)
	}
	return t, nil // without a button
}

// Topic returns the topic on which the events of the items are published again when the table has them: the Name and
// "-updated". A rebuild or a repair publishes a cqrsfeed.FeedUpdated without a Feed there.
func (t *Table[T]) Topic() string { return t.config.topic() }

func (c TableConfig[T]) topic() string { return c.Name + "-updated" }

// projector returns the configuration of the projector, without its projection.
func (c TableConfig[T]) projector() projector.Config {
	p := c.Projector
	p.Name, p.Topics, p.UpdatesTopic = c.Name, topicsOf(c.Items).All(), c.topic()
	return p
}

// Target returns the target of operate.Run, for a process without an App, with the Outbox and the Broker or Live of app, as they
// are configured in the processes that serve. The Broker or Live announces a rebuild. Without either, open pages change when they
// load again.
// Items must be a readmodel.Source, as repositories are.
func (c TableConfig[T]) Target(app Config) (operate.Target[T], error) {
	target, err := c.target(app.publisher())
	if err != nil {
		return target, err
	}
	return withApp(target, app, c.projector()), nil
}

// target returns the target whose changes publisher announces, or nothing if it is nil.
func (c TableConfig[T]) target(publisher message.Publisher) (operate.Target[T], error) {
	if err := c.Validate(); err != nil {
		return operate.Target[T]{}, fmt.Errorf("table config: %w", err)
	}
	source, ok := c.Items.(readmodel.Source[T])
	if !ok {
		return operate.Target[T]{}, fmt.Errorf("table %q cannot be rebuilt: Items (%T) must be a readmodel.Source", c.Name, c.Items)
	}
	target := operate.Target[T]{Source: source, Store: c.Projection.Model(), Clear: c.Clear, Publisher: publisher}
	if publisher != nil {
		target.UpdatesTopic = c.topic()
	}
	return target, nil
}
