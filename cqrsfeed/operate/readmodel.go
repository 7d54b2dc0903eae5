package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// Rebuild runs readmodel.Rebuild. It writes how far it is to progress, as a bar if that is a terminal, and a summary to
// results. total is the number of items in the source; 0 if it is not known.
func Rebuild[T any](ctx context.Context, c readmodel.RebuildConfig[T], total int64, results, progress io.Writer) error {
	began := time.Now()
	if c.After != "" {
		total = 0 // how many of them are left is not known
	}
	bar := newProgressBar(progress, total)
	c.Progress = bar.show
	summary, err := readmodel.Rebuild(ctx, c)
	bar.end()
	if err != nil {
		return fmt.Errorf("%w (run it again, or only the rest after %q)", err, summary.After)
	}
	fmt.Fprintf(results, "rebuilt: %d items in %s", summary.Items, time.Since(began).Round(time.Millisecond))
	if summary.Orphans > 0 {
		fmt.Fprintf(results, "; %d unknown items removed", summary.Orphans)
	}
	if summary.Refused > 0 {
		fmt.Fprintf(results, "; %d items left out", summary.Refused)
	}
	fmt.Fprintln(results)
	return nil
}

// ErrDrift is returned by Audit when a difference is left.
var ErrDrift = errors.New("the read model differs from the write model")

// Audit runs readmodel.Audit, and writes each difference and a summary to results.
func Audit[T any](ctx context.Context, c readmodel.AuditConfig[T], results io.Writer) error {
	c.Drift = func(drift readmodel.Drift) { fmt.Fprintln(results, drift) }
	summary, err := readmodel.Audit(ctx, c)
	if err != nil {
		return err
	}
	fmt.Fprintf(results, "audited: %d items, %d feeds; %d drifts, %d repaired\n",
		summary.Items, summary.Feeds, summary.Drifts, summary.Repaired)
	if summary.Unsettled > 0 {
		fmt.Fprintf(results, "%d changed meanwhile: run it again to check them\n", summary.Unsettled)
	}
	if left := summary.Remaining(); left > 0 {
		return fmt.Errorf("audit: %w in %d places", ErrDrift, left)
	}
	return nil
}
