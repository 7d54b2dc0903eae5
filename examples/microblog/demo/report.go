package demo

import (
	"time"

	"github.com/feedmill/feedmill/ssestream"
)

// Report is what a demonstration tells while it runs and afterwards. An empty Name stands for none.
type Report struct {
	Name    string    `json:"name"`
	Phase   string    `json:"phase"`
	Started time.Time `json:"started"`
	// Lasts is for how many seconds posts are written.
	Lasts float64 `json:"lasts"`
	Rate  int     `json:"rate"`
	// FaultUntil is when the fault ends, while there is one.
	FaultUntil *time.Time `json:"fault_until"`

	// Accepted is how many posts were committed, Edits how many of them were changed, and Failed how many writes were
	// answered with an error.
	Accepted int64 `json:"accepted"`
	Edits    int64 `json:"edits"`
	Failed   int64 `json:"failed"`
	// Before is how many posts the feed had, and InFeed how many were added to it.
	Before int64 `json:"before"`
	InFeed int64 `json:"in_feed"`

	// P50 and P99 are of the time from a commit to the first write to a window, in milliseconds, of Measured
	// changes. What comes to a window by its reconnection is not measured.
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
	Measured int     `json:"measured"`

	// Windows is how many were opened for the demonstration.
	Windows int `json:"windows"`
	// Of all windows, since it began.
	Loads      int64 `json:"loads"`
	LoadErrors int64 `json:"load_errors"`
	Frames     int64 `json:"frames"`
	Bytes      int64 `json:"bytes"`
	Skipped    int64 `json:"skipped"`
	// Struck is how often the fault struck: calls that were refused or failed, events that were repeated, streams that were
	// cut, or bytes that the slow window has read.
	Struck int64 `json:"struck"`
	// MostWaiting is the most events that were seen waiting in the outbox.
	MostWaiting int64 `json:"most_waiting"`

	Audit *Audit `json:"audit"`
	Error string `json:"error"`
}

// Audit is what a comparison of the whole read model with the posts has found.
type Audit struct {
	Items     int64 `json:"items"`
	Feeds     int64 `json:"feeds"`
	Drifts    int64 `json:"drifts"`
	Unsettled int64 `json:"unsettled"`
}

// report returns the report as of now.
func (r *run) report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	report := r.r
	report.Accepted, report.Edits, report.Failed = r.writer.accepted.Load(), r.writer.edits.Load(), r.writer.failed.Load()
	report.P50, report.P99, report.Measured = r.writer.latency()
	var now ssestream.Stats
	if r.after != nil {
		now = *r.after
	} else {
		now = r.demo.router.Stats()
	}
	report.Loads, report.LoadErrors = now.Loads-r.before.Loads, now.LoadErrors-r.before.LoadErrors
	report.Frames, report.Bytes, report.Skipped = now.Frames-r.before.Frames, now.Bytes-r.before.Bytes, now.Skipped-r.before.Skipped
	return report
}
