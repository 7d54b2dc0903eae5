package tabletest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

func auditConfig(from *model.WriteModel, p Projection) readmodel.AuditConfig[model.Body] {
	return readmodel.AuditConfig[model.Body]{Source: from, Store: p.Model(), BatchSize: 7, RecheckDelay: model.RecheckDelay}
}

func testAudit(t *testing.T, f fixture) {
	p, from := f.open(), model.NewWriteModel(model.ManyItems(40)...)
	for _, item := range from.Items() {
		applyEvents(t, p, model.Change{Item: item})
	}
	other := model.State("post-0021", 1, 21, "other") // the same version with another body
	from.Put(model.State("post-0001", 5, 1, "later"), model.State("new", 1, 0, "new"), model.Tombstone("post-0006", 2, 6))
	from.Remove("post-0011")
	from.Remove("post-0021")
	from.Put(other)
	applyEvents(t, p, model.State("post-0020", 7, 20, "ahead"), model.State("zz", 1, 0, "orphan"))

	config := auditConfig(from, p)
	kinds := make(map[string]readmodel.DriftKind)
	config.Drift = func(d readmodel.Drift) { kinds[d.Item] = d.Kind }
	want := map[string]readmodel.DriftKind{
		"post-0001": readmodel.DriftVersion, "new": readmodel.DriftVersion, "post-0006": readmodel.DriftVersion,
		"post-0020": readmodel.DriftVersion, "post-0021": readmodel.DriftContent,
		"post-0011": readmodel.DriftOrphan, "zz": readmodel.DriftOrphan,
	}
	summary := model.Audit(t, config)
	require.Equal(t, want, kinds)
	require.Equal(t, int64(len(want)), summary.Remaining())
	clear(kinds)
	config.Repair = true
	summary = model.Audit(t, config)
	require.Equal(t, want, kinds)
	require.Zero(t, summary.Remaining())
	f.counts.Require(t, from.Items())
	applyEvents(t, p, model.State("post-0020", 2, 20, "next")) // goes on from the restored version
	from.Put(model.State("post-0020", 2, 20, "next"))
	f.counts.Require(t, from.Items())
}

func testAuditCorrect(t *testing.T, f fixture) {
	p, from := f.open(), model.NewWriteModel(model.ManyItems(40)...)
	for _, item := range from.Items() {
		applyEvents(t, p, model.Change{Item: item})
	}
	config := auditConfig(from, p)
	config.Drift = func(d readmodel.Drift) { assert.Fail(t, "drift", "%v", d) }
	summary := model.Audit(t, config)
	require.Equal(t, int64(40), summary.Items)
}

// testUnreadable has an item whose remembered body is no longer JSON, so that the step has no state to begin with.
func testUnreadable(t *testing.T, f fixture) {
	p, from := f.open(), model.NewWriteModel(model.State("x", 1, 0, "a"), model.State("y", 1, 0, "a"))
	applyEvents(t, p, model.State("x", 1, 0, "a"), model.State("y", 1, 0, "a"))
	_, err := f.DB.ExecContext(t.Context(), "UPDATE tag_count_applied SET body = 'garbage' WHERE id = 'x'")
	require.NoError(t, err)
	from.Put(model.State("x", 2, 0, "b"), model.State("y", 2, 0, "b"))
	_, err = p.Apply(t.Context(), eventsOf(t, model.State("x", 2, 0, "b")))
	require.ErrorContains(t, err, "Clear and rebuild")

	config := auditConfig(from, p)
	config.Repair = true
	kinds := make(map[string]readmodel.DriftKind)
	config.Drift = func(d readmodel.Drift) { kinds[d.Item] = d.Kind }
	summary := model.Audit(t, config)
	require.Equal(t, map[string]readmodel.DriftKind{"x": readmodel.DriftRefused, "y": readmodel.DriftVersion}, kinds)
	require.Equal(t, int64(1), summary.Repaired)
	require.NoError(t, p.Clear(t.Context(), f.counts.Clear))
	rebuild(t, from, p)
	f.counts.Require(t, from.Items())
}
