package outbox

import "time"

// Age lets the lateness of the marks pass. No sweep is due for an hour.
func (o *Outbox) Age() {
	o.marks.mu.Lock()
	defer o.marks.mu.Unlock()
	o.marks.sweep = time.Now().Add(time.Hour)
	o.marks.all.due = time.Time{}
	for _, topic := range o.marks.topics {
		topic.due = time.Time{}
	}
}

// WakeAfter is wakeAfter.
func (o *Outbox) WakeAfter(d time.Duration) { o.wakeAfter(d) }
