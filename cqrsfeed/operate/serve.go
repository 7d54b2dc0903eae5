package operate

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/feedmill/feedmill/internal/problem"
)

//go:embed page.html
var pageHTML string

// newPage parses the template of the page.
func newPage() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"ago": func(now, then time.Time) string {
			if then.IsZero() {
				return "never"
			}
			return now.Sub(then).Round(time.Second).String()
		},
		"count": plural[int], "counted": counted, "byTopic": byTopic,
		"time": func(t time.Time) string { return t.UTC().Format(time.DateTime) },
	}).Parse(pageHTML))
}

// view is the data of the template.
type view struct {
	*State

	Nonce       string
	Done, Error string
	Key         string // that streams are searched for
	Working     bool   // a rebuild or an audit runs
}

func (h *Handler) serveState(w http.ResponseWriter, r *http.Request) {
	state := h.state(r)
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, state)
		return
	}
	query := r.URL.Query()
	page := view{State: state, Key: query.Get("key")}
	if done := query.Get("done"); hmac.Equal([]byte(query.Get("by")), []byte(h.sign(done))) {
		page.Done = done
	}
	h.writePage(w, http.StatusOK, page)
}

// sign returns the signature of a notice, so that a link cannot make the page show any text.
func (h *Handler) sign(text string) string {
	mac := hmac.New(sha256.New, h.key)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func (h *Handler) serveAction(w http.ResponseWriter, r *http.Request) {
	if err := h.guard.Check(r); err != nil {
		h.fail(w, r, &statusError{err.Error(), http.StatusForbidden})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		h.fail(w, r, &statusError{"the form cannot be read: " + err.Error(), http.StatusBadRequest})
		return
	}
	form := r.PostForm
	do, ok := h.actions()[form.Get("action")]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(h.actions())), ", ")
		h.fail(w, r, &statusError{fmt.Sprintf("action %q is unknown: there are %s", form.Get("action"), known), http.StatusBadRequest})
		return
	}
	var done string
	err := do(r.Context(), action{
		name: form.Get("name"), ids: form["id"], after: form.Get("after"), sure: form.Get("confirm") == "yes",
		inform: func(result string) { done = result },
	})
	switch {
	case err != nil:
		h.fail(w, r, err)
	case wantsJSON(r):
		writeJSON(w, http.StatusOK, map[string]string{"done": done})
	default: // relative, because the application may have mounted the handler anywhere
		w.Header().Set("Location", "?"+url.Values{"done": {done}, "by": {h.sign(done)}}.Encode())
		w.WriteHeader(http.StatusSeeOther)
	}
}

// fail responds with an error: a problem document, or the page. Operators are shown its text.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := problem.StatusOf(err)
	if wantsJSON(r) {
		w.Header().Set("Content-Type", problem.MediaType)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(problem.Document{ // a client that is gone needs no answer
			Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: err.Error(),
		})
		return
	}
	h.writePage(w, status, view{State: h.state(r), Error: err.Error()})
}

func (h *Handler) writePage(w http.ResponseWriter, status int, page view) {
	page.Nonce = rand.Text()
	for _, m := range page.ReadModels {
		page.Working = page.Working || m.Job != nil && m.Job.Ended.IsZero()
	}
	var body bytes.Buffer
	if err := h.page.Execute(&body, page); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// No other site may frame the page, and no script in a message may run.
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'nonce-"+page.Nonce+"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.Header().Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that is gone needs no answer
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that is gone needs no answer
}

// wantsJSON reports whether a program asks: browsers name text/html.
func wantsJSON(r *http.Request) bool {
	return !strings.Contains(strings.Join(r.Header.Values("Accept"), ","), "text/html")
}
