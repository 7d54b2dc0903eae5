package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// progress shows how far a rebuild or an audit is.
type progress interface {
	// begin receives the number of items, 0 if it is unknown.
	begin(total int64)
	show(summary readmodel.RebuildSummary)
	showAudit(summary readmodel.AuditSummary)
	end()
}

// errNoClear refuses a rebuild from nothing.
var errNoClear = &statusError{"the read model cannot be cleared: its operate.Target has no Clear", http.StatusNotFound}

// unchanged is the result line of a rebuild that did not clear the read model.
const unchanged = "unchanged is what was applied already: a new rule of feeds needs a higher RuleVersion or a repair, " +
	"a table that is wrong must be cleared before"

// work rebuilds or audits the read model. after is for workRebuild.
func (t Target[T]) work(ctx context.Context, kind work, after string, results io.Writer, shown progress) error {
	switch kind {
	case workAudit, workRepair:
		return t.audit(ctx, kind == workRepair, results, shown)
	case workRemake:
		if t.Clear == nil {
			return errNoClear
		}
		if err := t.Clear(ctx); err != nil {
			return fmt.Errorf("clear the read model: %w", err)
		}
		return t.rebuild(ctx, "", results, shown)
	case workRebuild:
	}
	if err := t.rebuild(ctx, after, results, shown); err != nil {
		return err
	}
	_, err := fmt.Fprintln(results, unchanged)
	return err
}

// rebuild runs readmodel.Rebuild. It names the items that are refused, which are withheld from their feeds.
func (t Target[T]) rebuild(ctx context.Context, after string, results io.Writer, shown progress) error {
	began := time.Now()
	var total int64 // 0 if it is unknown, as for a rebuild after an item
	if source, ok := t.Source.(interface {
		CountItems(ctx context.Context) (int64, error)
	}); ok && after == "" {
		var err error
		if total, err = source.CountItems(ctx); err != nil {
			return err
		}
	}
	shown.begin(total)
	summary, err := readmodel.Rebuild(ctx, readmodel.RebuildConfig[T]{
		Source: t.Source, Store: t.Store, FeedsOf: t.FeedsOf, RuleVersion: t.RuleVersion,
		Publisher: t.Publisher, UpdatesTopic: t.UpdatesTopic, After: after, Progress: shown.show,
		Refused: func(item cqrsfeed.Item[T], reason error) {
			fmt.Fprintf(results, "withheld item %q, version %d: %v\n", item.ID, item.Version, reason)
		},
	})
	shown.end()
	if err != nil {
		return fmt.Errorf("%w (run it again, or only the rest after %q)", err, summary.After)
	}
	done := fmt.Sprintf("rebuilt: %s read in %s", plural(summary.Items, "item"), time.Since(began).Round(time.Millisecond))
	if summary.Orphans > 0 {
		done += fmt.Sprintf("; %s removed", plural(summary.Orphans, "unknown item"))
	}
	if summary.Refused > 0 {
		done += fmt.Sprintf("; %s withheld", plural(summary.Refused, "item"))
	}
	if summary.Undecodable > 0 {
		done += fmt.Sprintf("; %s of which this release cannot decode the body, withheld where only an older version was known", plural(summary.Undecodable, "item"))
	}
	fmt.Fprintln(results, done)
	return nil
}

// ErrDrift is returned by an audit that leaves a difference.
var ErrDrift = errors.New("the read model differs from the write model")

// audit runs readmodel.Audit, and writes each difference and a summary to results.
func (t Target[T]) audit(ctx context.Context, repair bool, results io.Writer, shown progress) error {
	summary, err := readmodel.Audit(ctx, readmodel.AuditConfig[T]{
		Source: t.Source, Store: t.Store, FeedsOf: t.FeedsOf, RuleVersion: t.RuleVersion,
		Publisher: t.Publisher, UpdatesTopic: t.UpdatesTopic, Repair: repair, Progress: shown.showAudit,
		Drift: func(drift readmodel.Drift) { fmt.Fprintln(results, drift) },
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(results, "audited: %s, %s; %s, %d repaired\n",
		plural(summary.Items, "item"), plural(summary.Feeds, "feed"), plural(summary.Drifts, "drift"), summary.Repaired)
	if summary.Unsettled > 0 {
		fmt.Fprintf(results, "%d changed meanwhile: run it again to check them\n", summary.Unsettled)
	}
	if left := summary.Remaining(); left > 0 {
		return fmt.Errorf("audit: %w in %s", ErrDrift, plural(left, "place"))
	}
	return nil
}

// purge runs readmodel.Purge.
func (t Target[T]) purge(ctx context.Context, before time.Time, results io.Writer) error {
	source, ok := t.Source.(readmodel.TombstoneSource[T])
	if !ok {
		return fmt.Errorf("purge: the write model (%T) has no tombstones that can be removed: it must be a readmodel.TombstoneSource", t.Source)
	}
	stores := append([]readmodel.Store[T]{t.Store}, t.AlsoStores...)
	summary, err := readmodel.Purge(ctx, readmodel.PurgeConfig[T]{Source: source, Stores: stores, Before: before})
	fmt.Fprintf(results, "purged what was deleted before %s: %s, %s\n",
		before.UTC().Format(time.RFC3339), plural(summary.Items, "tombstone"), plural(summary.Feeds, "empty feed"))
	if summary.Late > 0 {
		fmt.Fprintf(results, "%s left, because a read model has another version: audit it\n", plural(summary.Late, "tombstone"))
	}
	return err
}
