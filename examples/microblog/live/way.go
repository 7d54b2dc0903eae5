package live

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Way is how far a change of a post has come, and when it was where.
type Way struct {
	ID      string    `json:"id"`
	Version int64     `json:"version"`
	Change  string    `json:"change"` // created, edited or deleted
	Title   string    `json:"title"`
	Tags    []string  `json:"tags"`
	At      time.Time `json:"at"` // when the request came; steps count from it
	// At which station it is now, by name.
	Station string `json:"station"`
	Steps   []Step `json:"steps"`
	Reads   []Read `json:"reads"`
	// Total is from the request to the last first write to a window, in milliseconds. It is 0 until there is one.
	Total float64 `json:"total"`
}

// Step is the time at a station, in milliseconds since Way.At.
type Step struct {
	Station string  `json:"station"`
	From    float64 `json:"from"`
	To      float64 `json:"to"`
	Note    string  `json:"note"`
}

// Read is the load of a state that open windows follow, and its first write, in milliseconds since Way.At.
type Read struct {
	Key     string  `json:"key"`
	From    float64 `json:"from"`
	To      float64 `json:"to"`
	Written float64 `json:"written"`
}

// way is what the spans have told so far. Times that are not known are zero.
type way struct {
	Way

	spans                          []trace.SpanID // by which the ring finds it
	committed                      time.Time
	publishing, published          time.Time
	applying, applied              time.Time
	publishAttempts, applyAttempts int
	batch                          int64
	lastFailure                    string
	loads                          []load
	observed                       bool
}

type load struct {
	span                trace.SpanID
	key                 string
	start, end, written time.Time
}

// maxLoads bounds the loads of a way.
const maxLoads = 32

// ended notes what a span that has ended tells.
func (w *way) ended(s sdktrace.ReadOnlySpan) {
	failed := s.Status().Code == codes.Error
	if failed {
		w.lastFailure = s.Status().Description
	}
	switch s.Name() {
	case "cqrsfeed publish":
		w.publishAttempts++
		earliest(&w.publishing, s.StartTime())
		if !failed {
			w.published = s.EndTime()
		}
	case "cqrsfeed apply":
		w.applyAttempts++
		earliest(&w.applying, s.StartTime())
		if !failed {
			latest(&w.applied, s.EndTime())
			w.batch = intOf(s, "cqrsfeed.batch.size")
		}
	case "ssestream load":
		if !failed && len(w.loads) < maxLoads {
			key := valueOf(s, "ssestream.key").AsString()
			w.loads = append(w.loads, load{span: s.SpanContext().SpanID(), key: key, start: s.StartTime(), end: s.EndTime()})
		}
	case "ssestream write":
		for i := range w.loads {
			if w.loads[i].span == s.Parent().SpanID() {
				w.loads[i].written = s.EndTime()
			}
		}
	default:
		w.changed(s)
	}
}

// changed notes what Committed told.
func (w *way) changed(s sdktrace.ReadOnlySpan) {
	for _, event := range s.Events() {
		if event.Name != committedEvent {
			continue
		}
		w.committed = event.Time
		for _, a := range event.Attributes {
			switch a.Key {
			case idKey:
				w.ID = a.Value.AsString()
			case versionKey:
				w.Version = a.Value.AsInt64()
			case changeKey:
				w.Change = a.Value.AsString()
			case titleKey:
				w.Title = a.Value.AsString()
			case tagsKey:
				w.Tags = append([]string{}, a.Value.AsStringSlice()...)
			}
		}
	}
}

// written returns when the first window was written to, or the zero time.
func (w *way) written() (first time.Time) {
	for _, l := range w.loads {
		if !l.written.IsZero() {
			earliest(&first, l.written)
		}
	}
	return first
}

// view returns the way as clients see it. broker says whether a broker lies between relay and projector.
func (w *way) view(broker bool) Way {
	v := w.Way
	steps := stepper{way: &v}
	steps.to("write", w.committed, "")
	steps.to("outbox", w.publishing, "")
	switch {
	case broker:
		steps.to("relay", w.published, attempts(w.publishAttempts))
		steps.to("broker", w.applying, "")
	default: // the call of the relay lasts until the projector has returned
		steps.to("relay", w.applying, attempts(w.publishAttempts))
	}
	steps.to("projector", w.applied, strings.TrimSpace(batch(w.batch)+" "+attempts(w.applyAttempts)))
	var loaded, written time.Time
	for _, l := range w.loads {
		v.Reads = append(v.Reads, Read{Key: l.key, From: v.since(l.start), To: v.since(l.end), Written: v.since(l.written)})
		if !l.written.IsZero() {
			latest(&loaded, l.end)
			latest(&written, l.written)
		}
	}
	steps.to("feeds", loaded, "")
	steps.to("router", written, "")
	v.Total = v.since(written)
	return v
}

func (v *Way) since(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(max(0, t.Sub(v.At)).Microseconds()) / 1000
}

// stepper makes steps of which each begins where the one before has ended.
type stepper struct {
	way  *Way
	last float64
	over bool
}

// to adds the step at a station that lasted until end. A zero end means that the way has not come further.
func (s *stepper) to(station string, end time.Time, note string) {
	if s.over {
		return
	}
	s.way.Station = station
	if end.IsZero() {
		s.over = true
		return
	}
	from := s.last
	s.last = max(from, s.way.since(end)) // a relay may be quicker than the return of the commit
	s.way.Steps = append(s.way.Steps, Step{Station: station, From: from, To: s.last, Note: note})
	if station == "router" {
		s.way.Station = "windows"
	}
}

func attempts(n int) string {
	if n < 2 {
		return ""
	}
	return "attempt " + strconv.Itoa(n) + " succeeded"
}

func batch(n int64) string {
	if n < 2 {
		return ""
	}
	return "in a batch of " + strconv.FormatInt(n, 10)
}

func earliest(known *time.Time, t time.Time) {
	if known.IsZero() || t.Before(*known) {
		*known = t
	}
}

func latest(known *time.Time, t time.Time) {
	if t.After(*known) {
		*known = t
	}
}

func valueOf(s sdktrace.ReadOnlySpan, key attribute.Key) attribute.Value {
	i := slices.IndexFunc(s.Attributes(), func(a attribute.KeyValue) bool { return a.Key == key })
	if i < 0 {
		return attribute.Value{}
	}
	return s.Attributes()[i].Value
}

func intOf(s sdktrace.ReadOnlySpan, key attribute.Key) int64 { return valueOf(s, key).AsInt64() }
