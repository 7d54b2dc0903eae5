package operate

import (
	"context"
	"crypto/rand"
	"fmt"
	"html/template"
	"iter"
	"net/http"
	"os"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/cqrsfeed/projector"
	"github.com/feedmill/feedmill/internal/config"
)

// HandlerConfig configures a Handler. All fields are optional. The page has a section for each one that is set.
type HandlerConfig struct {
	// Title heads the page. Defaults to "Operations".
	Title string
	// Outbox is the outbox whose waiting and parked messages are shown.
	Outbox outbox.Operations
	// Projections are the projectors of this process.
	Projections []*projector.Projector
	// ReadModels can be rebuilt and audited.
	ReadModels []*ReadModel
	// Poison has the messages that projectors have set aside.
	Poison projector.PoisonQueue
	// PoisonPublisher replays them. Required with Poison.
	PoisonPublisher message.Publisher
	// Streams returns the keys that the clients of this process follow.
	Streams func() iter.Seq[Stream]
}

// Stream is a key that clients of this process follow.
type Stream struct {
	// Topics are those of the handler, and Key names the state.
	Topics string `json:"topics"`
	Key    string `json:"key"`
	// Clients is how many follow it.
	Clients int `json:"clients"`
	// Stale is the reason why its clients see an old state, "" if they do not.
	Stale string `json:"stale,omitempty"`
}

func (c *HandlerConfig) setDefaults() {
	config.Default(&c.Title, "Operations")
}

// Validate joins all problems of the configuration.
func (c HandlerConfig) Validate() error {
	var p config.Problems
	p.Check((c.Poison == nil) == (c.PoisonPublisher == nil), "Poison and PoisonPublisher go together")
	for i, m := range c.ReadModels {
		p.Check(!slices.ContainsFunc(c.ReadModels[:i], func(other *ReadModel) bool { return other.name == m.name }),
			"two ReadModels have the name %q", m.name)
	}
	return p.Join()
}

// Handler is a page for operators: what waits in the outbox and for the projections, parked and poisoned messages, rebuilds
// and audits, and the streams of this process. It is one address: a page without scripts for
// browsers, and a State as JSON for programs, whose Accept does not name text/html. Its forms POST to the same address, as programs may:
//
//	curl -d action=pause -d name=note-feeds https://ops.example.com/operations
//
// Anybody who reaches it can read events and use its forms: the application must authorize requests. On a port that only
// operators reach, use ByAddress. The handler refuses forms that a page of another site sends. The page shows the projections,
// rebuilds and streams of its own process. Behind a load balancer, address one instance.
type Handler struct {
	config   HandlerConfig
	instance string
	guard    *http.CrossOriginProtection
	page     *template.Template
	key      []byte // of what the page says was done
	jobs     jobs
}

// NewHandler returns a handler. It starts nothing: Run runs the requested rebuilds and audits.
func NewHandler(c HandlerConfig) (*Handler, error) {
	c.setDefaults()
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("operations config: %w", err)
	}
	instance, err := os.Hostname()
	if err != nil {
		instance = "unknown" // the name is only shown
	}
	return &Handler{
		config: c, instance: fmt.Sprintf("%s, process %d", instance, os.Getpid()),
		guard: http.NewCrossOriginProtection(), page: newPage(), key: []byte(rand.Text()), jobs: newJobs(),
	}, nil
}

// Run runs the requested rebuilds and audits until ctx ends, which stops them. It must be called once. Without it the page
// refuses them.
func (h *Handler) Run(ctx context.Context) error { return h.jobs.run(ctx) }

// Running is closed when Run has begun.
func (h *Handler) Running() <-chan struct{} { return h.jobs.begun }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Add("Vary", "Accept")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		h.serveState(w, r)
	case http.MethodPost:
		h.serveAction(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		h.fail(w, r, &statusError{"use GET or POST", http.StatusMethodNotAllowed})
	}
}
