package operate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// statusError is an error with the status of its response.
type statusError struct {
	text   string
	status int
}

func (e *statusError) Error() string { return e.text }

// HTTPStatus returns the status of the response.
func (e *statusError) HTTPStatus() int { return e.status }

var (
	errNoOutbox = &statusError{"this page has no outbox", http.StatusNotFound}
	errNoPoison = &statusError{"this page has no poison topic: in one process such messages are parked, see unpark; for brokers see docs/poison.md", http.StatusNotFound}
	errNoIDs    = &statusError{"name the messages: send id=… for each, with the ids that the page shows", http.StatusBadRequest}
	errConfirm  = &statusError{"what is deleted cannot be brought back: send confirm=yes", http.StatusBadRequest}
	errRemake   = &statusError{
		"readers see only a part of a read model from when it is cleared until it is rebuilt: send confirm=yes", http.StatusBadRequest,
	}
)

// action is the request of a form.
type action struct {
	name   string   // of the projection or read model
	ids    []string // of messages
	all    bool     // messages
	after  string
	sure   bool
	inform func(result string) // is told what was done
}

// maxForm bounds the body of a request.
const maxForm = 1 << 20

// actions returns the actions by the value of the field action:
//
//	unpark, discard   parked messages, by their id; discard needs confirm=yes
//	unpark-all
//	replay, remove    poisoned messages, by their id; remove needs confirm=yes
//	pause, resume     a projection, by its name
//	rebuild           a read model, by its name; after is the ID of the item to begin after
//	remake            a read model, by its name: clears it and rebuilds it from nothing; needs confirm=yes
//	audit, repair     a read model, by its name
//	stop              the rebuild or audit of a read model
func (h *Handler) actions() map[string]func(context.Context, action) error {
	return map[string]func(context.Context, action) error{
		"unpark": h.parked("unpark"),
		"unpark-all": func(ctx context.Context, a action) error {
			a.all = true
			return h.parked("unpark")(ctx, a)
		},
		"discard": confirmed(h.parked("discard")),
		"replay":  h.poisoned("replay"),
		"remove":  confirmed(h.poisoned("remove")),
		"pause":   h.projection((*projector.Projector).Pause, "paused on this instance"),
		"resume":  h.projection((*projector.Projector).Resume, "resumed"),
		"rebuild": h.job(workRebuild),
		"remake":  h.job(workRemake),
		"audit":   h.job(workAudit),
		"repair":  h.job(workRepair),
		"stop":    h.stop,
	}
}

func (h *Handler) parked(decision string) func(context.Context, action) error {
	if h.config.Outbox == nil {
		return func(context.Context, action) error { return errNoOutbox }
	}
	return parkedIn(h.config.Outbox).action(decision)
}

func (h *Handler) poisoned(decision string) func(context.Context, action) error {
	if h.config.Poison == nil {
		return func(context.Context, action) error { return errNoPoison }
	}
	return poisonIn(h.config.Poison, h.config.PoisonPublisher).action(decision)
}

// action returns the action that settles messages.
func (h holder) action(decision string) func(context.Context, action) error {
	return func(ctx context.Context, a action) error {
		if len(a.ids) == 0 && !a.all {
			return errNoIDs
		}
		n, result, err := h.settle(ctx, decision, a.ids, a.all)
		switch {
		case err == nil:
			a.inform(result)
		case n > 0 && errors.Is(err, h.absent):
			a.inform(result + "; " + err.Error())
			return nil
		case n > 0:
			return fmt.Errorf("%s; %w", result, err)
		}
		return err
	}
}

// confirmed returns an action that deletes something.
func confirmed(do func(context.Context, action) error) func(context.Context, action) error {
	return func(ctx context.Context, a action) error {
		if !a.sure {
			return errConfirm
		}
		return do(ctx, a)
	}
}

func (h *Handler) projection(do func(*projector.Projector), done string) func(context.Context, action) error {
	return func(_ context.Context, a action) error {
		p, err := byName("projection", a.name, h.config.Projections, (*projector.Projector).Name)
		if err != nil {
			return err
		}
		do(p)
		a.inform(fmt.Sprintf("projection %q is %s", a.name, done))
		return nil
	}
}

// byName returns one of several parts, or refuses the name and lists the known ones.
func byName[P any](kind, name string, all []P, nameOf func(P) string) (P, error) {
	names := make([]string, len(all))
	for i, part := range all {
		if names[i] = nameOf(part); names[i] == name {
			return part, nil
		}
	}
	known := "none"
	if len(names) > 0 {
		known = strings.Join(names, ", ")
	}
	var none P
	return none, &statusError{fmt.Sprintf("%s %q is unknown: this instance has %s", kind, name, known), http.StatusNotFound}
}

func (h *Handler) readModel(name string) (*ReadModel, error) {
	return byName("read model", name, h.config.ReadModels, func(m *ReadModel) string { return m.name })
}

func (h *Handler) job(kind work) func(context.Context, action) error {
	return func(_ context.Context, a action) error {
		m, err := h.readModel(a.name)
		if err != nil {
			return err
		}
		switch {
		case kind != workRemake:
		case !m.clears:
			return errNoClear
		case !a.sure:
			return errRemake
		default:
			a.after = "" // the page sends it with every button
		}
		if err := h.jobs.start(m, kind, a.after); err != nil { //nolint:contextcheck // the job outlives the request
			return err
		}
		a.inform(fmt.Sprintf("%s of %q has begun", kind, a.name))
		return nil
	}
}

func (h *Handler) stop(_ context.Context, a action) error {
	m, err := h.readModel(a.name)
	if err != nil {
		return err
	}
	h.jobs.stop(m.name)
	a.inform(fmt.Sprintf("the rebuild or audit of %q is stopped", a.name))
	return nil
}
