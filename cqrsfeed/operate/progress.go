package operate

import (
	"fmt"
	"io"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// printEvery is the time between two lines of progress.
const printEvery = 5 * time.Second

// progressLines prints the progress of a rebuild, a line now and then.
type progressLines struct {
	output  io.Writer
	total   int64 // 0 if it is not known
	began   time.Time
	printed time.Time
	shown   readmodel.RebuildSummary
	stale   bool // the last state was not printed
}

// begin sets the number of items.
func (p *progressLines) begin(total int64) { p.total, p.began = total, time.Now() }

// show prints unless it has just printed, or nothing has changed.
func (p *progressLines) show(s readmodel.RebuildSummary) {
	if s == p.shown {
		return
	}
	counts := s.Recounted > 0 && p.shown.Recounted == 0
	if counts && p.stale {
		p.print() // how copying ended
	}
	p.shown, p.stale = s, true
	if counts || time.Since(p.printed) >= printEvery {
		p.printed = time.Now()
		p.print()
	}
}

// showAudit does nothing, because an audit prints what it finds.
func (p *progressLines) showAudit(readmodel.AuditSummary) {}

// end prints the last state.
func (p *progressLines) end() {
	if p.stale {
		p.print()
	}
}

func (p *progressLines) print() {
	p.stale = false
	fmt.Fprintf(p.output, "rebuild: %s\n", p.text())
}

func (p *progressLines) text() string {
	s := p.shown
	if s.Recounted > 0 {
		return fmt.Sprintf("%s, %s counted", plural(s.Items, "item"), plural(s.Recounted, "feed"))
	}
	rate := float64(s.Items) / time.Since(p.began).Seconds()
	if p.total <= 0 {
		return fmt.Sprintf("%s, %.0f a second", plural(s.Items, "item"), rate)
	}
	share := min(float64(s.Items)/float64(p.total), 1) // more can be done than there was at the start
	text := fmt.Sprintf("%3.0f %%, %d of %d items, %.0f a second", 100*share, s.Items, p.total, rate)
	if left := p.total - s.Items; left > 0 && s.Items > 0 {
		text += fmt.Sprintf(", %s left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
	}
	return text
}
