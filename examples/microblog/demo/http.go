package demo

import (
	"net/http"

	"github.com/feedmill/feedmill"
)

// Handler serves POST /api/demo with an Order, and DELETE, which stops what runs. fail writes an error as the response.
func (d *Demo) Handler(fail func(http.ResponseWriter, *http.Request, error)) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/demo", func(w http.ResponseWriter, r *http.Request) {
		const maxBody = 1 << 10
		order, err := feedmill.ReadJSON[Order](w, r, maxBody)
		if err == nil {
			err = d.Start(order)
		}
		if err != nil {
			fail(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /api/demo", func(w http.ResponseWriter, _ *http.Request) {
		d.Stop()
		w.WriteHeader(http.StatusNoContent)
	})
	return local(mux, fail)
}
