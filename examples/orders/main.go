// Orders is an application with a table of its own, whose pages follow single orders live. It takes two things of Feedmill:
// the outbox, in the transaction of each write, and a stream of what a function loads. It keeps its data in orders.db in
// the current folder. Write an order, follow it, and change it from another terminal:
//
//	curl -X PUT -d state=paid localhost:8080/orders/7
//	curl -N -H 'Accept: text/event-stream' localhost:8080/orders/7
//	curl -X PUT -d state=sent localhost:8080/orders/7
package main

import (
	"context"
	"database/sql"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/ssestream"
)

// order is what clients see.
type order struct {
	ID    string `json:"id"`
	State string `json:"state"`
}

// orderChanged is the event that tells of a write.
type orderChanged struct{ ID string }

// orders is the application's own code on its own table.
type orders struct {
	db    *sql.DB
	store *sqlitestore.Store
}

// save writes an order and its event in one transaction.
func (o *orders) save(ctx context.Context, saved order) error {
	return o.store.InTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO orders (id, state) VALUES (?, ?)
			ON CONFLICT (id) DO UPDATE SET state = excluded.state`, saved.ID, saved.State)
		if err != nil {
			return err
		}
		event, err := cqrsfeed.NewMessage("OrderChanged", orderChanged{saved.ID})
		if err != nil {
			return err
		}
		return o.store.Outbox().Add(ctx, tx, "order-changed", event)
	})
}

// load reads an order.
func (o *orders) load(ctx context.Context, id string) (order, error) {
	loaded := order{ID: id}
	err := o.db.QueryRowContext(ctx, "SELECT state FROM orders WHERE id = ?", id).Scan(&loaded.State)
	if errors.Is(err, sql.ErrNoRows) {
		return order{}, cqrsfeed.ErrNotFound // a 404
	}
	return loaded, err
}

// adapter says which order a request follows, which events change it, and how it is loaded.
func (o *orders) adapter() (*ssestream.Adapter[orderChanged, order], error) {
	return ssestream.AdapterBuilder[orderChanged, order]{
		RequestKey: func(r *http.Request) (string, error) { return r.PathValue("id"), nil },
		EventKeys:  func(event orderChanged) []string { return []string{event.ID} },
		Load:       o.load,
	}.Build()
}

// open opens the database and makes sure of its tables.
func open(ctx context.Context, file string) (*orders, error) {
	db, err := sql.Open("sqlite", sqlitestore.DSN(file))
	if err != nil {
		return nil, err
	}
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	if err != nil {
		return nil, err
	}
	if err := store.EnsureSchema(ctx); err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, state TEXT NOT NULL)")
	return &orders{db: db, store: store}, err
}

// newApp connects the parts.
func newApp(o *orders) (*feedmill.App, http.Handler, error) {
	app, err := feedmill.New(feedmill.Config{Outbox: o.store.Outbox()}, nil)
	if err != nil {
		return nil, nil, err
	}
	adapter, err := o.adapter()
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", app.Handle(adapter, "order-changed"))
	mux.HandleFunc("PUT /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		if err := o.save(r.Context(), order{r.PathValue("id"), r.FormValue("state")}); err != nil {
			app.WriteError(w, r, err)
		}
	})
	return app, mux, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, "orders.db"); err != nil {
		log.Fatal(err) //nolint:gocritic // there is nothing to stop
	}
}

func run(ctx context.Context, file string) error {
	o, err := open(ctx, file)
	if err != nil {
		return err
	}
	defer o.db.Close()
	app, handler, err := newApp(o) //nolint:contextcheck // it starts nothing; a stream has the context of its request
	if err != nil {
		return err
	}
	server := &http.Server{Addr: "localhost:8080", Handler: handler, ReadTimeout: 5 * time.Second}
	return app.ListenAndServe(ctx, server)
}
