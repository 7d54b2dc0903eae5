// Package demo puts load on a running microblog and breaks its parts for some seconds, to show that nothing is lost. It is
// wired in only where the microblog is started with -demo. Its faults wrap the parts from outside; they delete
// nothing, and end by themselves.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/operate"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/examples/microblog/live"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/ssestream"
)

// Tag is the hashtag of the posts that a demonstration writes, and the feed in which they are counted.
const Tag = "load"

// Posts is the write model.
type Posts interface {
	cqrsfeed.Repository[post.Post]
}

// Config says what a demonstration works on. All fields without a default are required.
type Config struct {
	Posts Posts
	Feeds readmodel.Store[post.Post]
	// Outbox has the events of Posts.
	Outbox outbox.Outbox
	// Broker is nil without one.
	Broker *feedmill.Broker
	Ring   *live.Ring
	Tracer trace.Tracer
	Times  Times
}

// Times says how long demonstrations last.
type Times struct {
	// Load is how long a load lasts. Defaults to 30 seconds.
	Load time.Duration
	// Fault is how long a fault lasts. Defaults to 10 seconds.
	Fault time.Duration
}

// Demo runs one demonstration at a time.
type Demo struct {
	config Config
	faults *faults
	asked  chan *run
	router *ssestream.Router

	address string // set by Run, for what it runs

	mu   sync.Mutex
	last *run // that runs, or has ended
}

// New returns a Demo. It starts nothing: see Run.
func New(config Config) *Demo {
	config.Times.Load = cmp.Or(config.Times.Load, 30*time.Second)
	config.Times.Fault = cmp.Or(config.Times.Fault, 10*time.Second)
	return &Demo{config: config, faults: &faults{}, asked: make(chan *run, 1)}
}

// Outbox returns the outbox for the relay.
func (d *Demo) Outbox() outbox.Outbox {
	return &faultyOutbox{Outbox: d.config.Outbox, faults: d.faults, refuses: d.config.Broker == nil}
}

// Feeds returns the read model for projectors and pages.
func (d *Demo) Feeds() readmodel.Store[post.Post] {
	return faultyFeeds{Store: d.config.Feeds, faults: d.faults}
}

// Broker returns the broker for the app, or nil without one.
func (d *Demo) Broker() *feedmill.Broker {
	if d.config.Broker == nil {
		return nil
	}
	broker := *d.config.Broker
	broker.Publisher = faultyPublisher{Publisher: broker.Publisher, faults: d.faults}
	return &broker
}

// Watch sets the router of the microblog. It comes before Handler and Run.
func (d *Demo) Watch(router *ssestream.Router) { d.router = router }

// Run runs the demonstrations that requests ask for, until ctx ends. address is where the microblog serves. What was asked for
// before waits for it.
func (d *Demo) Run(ctx context.Context, address net.Addr) {
	d.address = loopback(address)
	for {
		select {
		case <-ctx.Done():
			return
		case asked := <-d.asked:
			asked.do(ctx)
		}
	}
}

// loopback returns the address by which this process reaches its own listener.
func loopback(address net.Addr) string {
	host, port, err := net.SplitHostPort(address.String())
	if ip := net.ParseIP(host); err == nil && (ip == nil || ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// State returns the Report of the last demonstration, or an empty one.
func (d *Demo) State() any {
	d.mu.Lock()
	last := d.last
	d.mu.Unlock()
	if last == nil {
		return Report{}
	}
	return last.report()
}

// Order is what a request asks for: a load of Rate posts a second, or a fault under a rate of its own.
type Order struct {
	Rate    int    `json:"rate"`
	Windows int    `json:"windows"`
	Fault   string `json:"fault"`
}

const (
	faultRate  = 20 // posts a second while something is broken
	maxRate    = 100
	maxWindows = 200
)

// errBusy is returned while another demonstration runs.
var errBusy = errors.New("another demonstration is running")

// Start begins a demonstration. Where another one runs it is refused, with status 409.
func (d *Demo) Start(o Order) error {
	if o.Fault != "" {
		if !known(o.Fault) {
			return refuse(http.StatusUnprocessableEntity, "fault", fmt.Errorf("is %q, which is none of %v", o.Fault, Faults()))
		}
		o.Rate = faultRate
	}
	if o.Rate < 1 || o.Rate > maxRate {
		return refuse(http.StatusUnprocessableEntity, "rate", fmt.Errorf("is %d, it must be from 1 to %d", o.Rate, maxRate))
	}
	if o.Windows < 0 || o.Windows > maxWindows {
		return refuse(http.StatusUnprocessableEntity, "windows", fmt.Errorf("is %d, it must be from 0 to %d", o.Windows, maxWindows))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != nil && !d.last.over() {
		return refuse(http.StatusConflict, "", errBusy)
	}
	d.last = newRun(d, o)
	d.asked <- d.last
	return nil
}

// Stop ends what runs: no more is written, and the fault is taken back. What was accepted is still waited for and audited.
func (d *Demo) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != nil {
		d.last.stop()
	}
}

func refuse(status int, field string, err error) error {
	return &ssestream.StatusError{Status: status, Field: field, Err: err}
}

// local returns a handler that refuses requests from other machines, those that came by a proxy, and those for another name
// than this machine's. A demonstration is for who sits before it.
func local(next http.Handler, refused func(http.ResponseWriter, *http.Request, error)) http.Handler {
	next = operate.ByAddress(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		ip := net.ParseIP(host)
		if err != nil || ip == nil || !ip.IsLoopback() || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
			refused(w, r, refuse(http.StatusForbidden, "", errors.New("a demonstration can be started only on the machine that serves, at localhost")))
			return
		}
		next.ServeHTTP(w, r)
	})
}
