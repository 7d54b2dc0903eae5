package main

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

// progressBar shows how far a rebuild is: on a terminal as a bar that grows, elsewhere as a line now and then.
type progressBar struct {
	output   io.Writer
	terminal bool
	drawn    time.Time
	shown    readmodel.RebuildProgress
	stale    bool // what was shown last was not drawn
}

func newProgressBar(output io.Writer) *progressBar {
	return &progressBar{output: output, terminal: isTerminal(output)}
}

func isTerminal(output io.Writer) bool {
	file, ok := output.(*os.File)
	if !ok {
		return false
	}
	stat, err := file.Stat()
	return err == nil && stat.Mode()&os.ModeCharDevice != 0
}

// show draws unless it has just drawn and the phase is the same.
func (b *progressBar) show(p readmodel.RebuildProgress, now time.Time) {
	every := plainLines
	if b.terminal {
		every = redrawn
	}
	another := p.Phase != b.shown.Phase
	if another && b.stale {
		b.draw() // how the phase before ended
	}
	b.shown, b.stale = p, true
	if another || now.Sub(b.drawn) >= every {
		b.drawn = now
		b.draw()
	}
}

// end draws what is not drawn yet, and leaves the line.
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
	if b.terminal {
		fmt.Fprintf(b.output, "\r%s%s\x1b[K", drawnBar(b.shown), progressText(b.shown))
		return
	}
	fmt.Fprintf(b.output, "rebuild: %s\n", progressText(b.shown))
}

// share is the part that is done, from 0 to 1, if the total is known. More can be done than there was at the
// start.
func share(p readmodel.RebuildProgress) (float64, bool) {
	if p.Total <= 0 {
		return 0, false
	}
	return min(float64(p.Items)/float64(p.Total), 1), true
}

func drawnBar(p readmodel.RebuildProgress) string {
	part, known := share(p)
	if !known {
		return ""
	}
	full := int(part * barWidth)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "] "
}

func progressText(p readmodel.RebuildProgress) string {
	switch p.Phase {
	case readmodel.RebuildStrays:
		return fmt.Sprintf("%d posts, now stray entries: %d looked at", p.Items, p.Entries)
	case readmodel.RebuildRecounting:
		return fmt.Sprintf("%d posts, now counts: %d feeds done", p.Items, p.Feeds)
	case readmodel.RebuildCopying:
	}
	part, known := share(p)
	if !known {
		return fmt.Sprintf("%d posts, %.0f a second", p.Items, p.Rate)
	}
	text := fmt.Sprintf("%3.0f %%, %d of %d posts, %.0f a second", 100*part, p.Items, p.Total, p.Rate)
	if left := p.Total - p.Items; left > 0 && p.Rate > 0 {
		text += fmt.Sprintf(", %s left", time.Duration(float64(left)/p.Rate*float64(time.Second)).Round(time.Second))
	}
	return text
}
