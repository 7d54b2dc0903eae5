package operate

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

const (
	barWidth   = 30
	redrawn    = 100 * time.Millisecond // on a terminal
	plainLines = 5 * time.Second        // anywhere else
)

// progressBar shows the progress of a rebuild: a growing bar on a terminal, and else a line now and then.
type progressBar struct {
	output   io.Writer
	terminal bool
	total    int64 // 0 if it is not known
	began    time.Time
	drawn    time.Time
	shown    readmodel.RebuildSummary
	stale    bool // the last state was not drawn
}

func newProgressBar(output io.Writer, total int64) *progressBar {
	return &progressBar{output: output, terminal: isTerminal(output), total: total, began: time.Now()}
}

// begin sets the number of items.
func (b *progressBar) begin(total int64) { b.total, b.began = total, time.Now() }

func isTerminal(output io.Writer) bool {
	file, ok := output.(*os.File)
	if !ok {
		return false
	}
	stat, err := file.Stat()
	return err == nil && stat.Mode()&os.ModeCharDevice != 0
}

// show draws unless it has just drawn, or nothing has changed.
func (b *progressBar) show(s readmodel.RebuildSummary) {
	if s == b.shown {
		return
	}
	every := plainLines
	if b.terminal {
		every = redrawn
	}
	counts := s.Recounted > 0 && b.shown.Recounted == 0
	if counts && b.stale {
		b.draw() // how copying ended
	}
	b.shown, b.stale = s, true
	if counts || time.Since(b.drawn) >= every {
		b.drawn = time.Now()
		b.draw()
	}
}

// showAudit does nothing, because an audit prints what it finds.
func (b *progressBar) showAudit(readmodel.AuditSummary) {}

// end draws the last state and ends the line.
func (b *progressBar) end() {
	if b.stale {
		b.draw()
	}
	if b.terminal && !b.drawn.IsZero() {
		fmt.Fprintln(b.output)
	}
}

func (b *progressBar) draw() {
	b.stale = false
	if !b.terminal {
		fmt.Fprintf(b.output, "rebuild: %s\n", b.text())
		return
	}
	bar := ""
	if b.total > 0 {
		full := int(b.share() * barWidth)
		bar = "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "] "
	}
	fmt.Fprintf(b.output, "\r%s%s\x1b[K", bar, b.text())
}

// share returns the part that is done, from 0 to 1. More can be done than there was at the start.
func (b *progressBar) share() float64 { return min(float64(b.shown.Items)/float64(b.total), 1) }

func (b *progressBar) text() string {
	s := b.shown
	if s.Recounted > 0 {
		return fmt.Sprintf("%s, %s counted", plural(s.Items, "item"), plural(s.Recounted, "feed"))
	}
	rate := float64(s.Items) / time.Since(b.began).Seconds()
	if b.total <= 0 {
		return fmt.Sprintf("%s, %.0f a second", plural(s.Items, "item"), rate)
	}
	text := fmt.Sprintf("%3.0f %%, %d of %d items, %.0f a second", 100*b.share(), s.Items, b.total, rate)
	if left := b.total - s.Items; left > 0 && s.Items > 0 {
		text += fmt.Sprintf(", %s left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
	}
	return text
}
