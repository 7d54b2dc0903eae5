package readmodeltest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/internal/model"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// newRule is the version of newTagsOf. That of tagsOf is 0.
const newRule = 1

// newTagsOf is a rule that puts items into other feeds: the first of their tags is left out, and one is added.
func newTagsOf(item cqrsfeed.Item[model.Body]) []string {
	return append([]string{"new-" + item.ID[:min(len(item.ID), 7)]}, model.TagsOf(item)[min(1, len(model.TagsOf(item))):]...)
}

// applyByRule applies an item as a release with a rule does.
func applyByRule(
	ctx context.Context, store cqrsfeed.FeedStore[model.Body], item cqrsfeed.Item[model.Body], feedsOf func(cqrsfeed.Item[model.Body]) []string, rule int64,
) error {
	c, err := cqrsfeed.NewFeedChange(item, feedsOf)
	if err != nil {
		return err
	}
	c.Rule = rule
	return model.ApplyUntilDone(ctx, store, []model.Change{c})
}

// rebuildByNewRule changes the rule of a store in use: releases with both rules apply events side by side, and the rebuild
// runs until the new one is alone, is stopped, and goes on.
func rebuildByNewRule(t *testing.T, store readModel) {
	from := model.NewWriteModel(model.ManyItems(200)...)
	model.Apply(t, store, model.ManyItems(200)...)
	var releases sync.WaitGroup
	for release, rule := range []func(cqrsfeed.Item[model.Body]) []string{model.TagsOf, newTagsOf} {
		releases.Go(func() {
			for i := range 60 {
				n := (i*67 + release) % 200
				item := model.State(fmt.Sprintf("post-%04d", n), int64(10+2*i+release), n, "all", fmt.Sprintf("live-%d", i%4)).Item
				from.Put(model.Change{Item: item})
				assert.NoError(t, applyByRule(t.Context(), store, item, rule, int64(release)))
			}
		})
	}
	config := rebuildConfig(from, store)
	config.FeedsOf, config.RuleVersion, config.BatchSize = newTagsOf, newRule, 20
	model.Rebuild(t, config) // too early: an old release is there
	releases.Wait()

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	config.Progress = func(s readmodel.RebuildSummary) {
		if s.Items >= 100 {
			stop()
		}
	}
	stopped, err := readmodel.Rebuild(ctx, config)
	require.ErrorIs(t, err, context.Canceled)
	config.Progress, config.After = nil, stopped.After
	model.Rebuild(t, config)
	want := from.FeedsBy(newTagsOf, "all")
	model.CompareCounts(t, store, want) // without another Recount
	model.Require(t, store, want)

	// A message of the old release that comes late changes nothing.
	for _, c := range model.ManyItems(200) {
		model.Apply(t, store, c)
	}
	model.Require(t, store, want)
}

// auditByRule finds and repairs items of another rule, also after a rollback to an older release.
func auditByRule(t *testing.T, fixture AuditFixture) {
	items := []model.Change{model.State("x", 1, 1, "a", "b"), model.State("y", 3, 2, "b"), model.Tombstone("z", 2, 3)}
	store, from := fixture.Store, model.NewWriteModel(items...)
	model.Apply(t, store, items...)
	check := func(feedsOf func(cqrsfeed.Item[model.Body]) []string, rule int64, repair bool) (kinds []readmodel.DriftKind) {
		t.Helper()
		config := auditConfig(from, store)
		config.FeedsOf, config.RuleVersion, config.Repair = feedsOf, rule, repair
		config.Drift = func(d readmodel.Drift) {
			kinds = append(kinds, d.Kind)
			t.Log(d)
		}
		model.Audit(t, config)
		return kinds
	}
	both := []readmodel.DriftKind{readmodel.DriftRule, readmodel.DriftRule}
	require.Equal(t, both, check(newTagsOf, newRule, false))
	config := rebuildConfig(from, store)
	config.FeedsOf, config.RuleVersion = newTagsOf, newRule
	model.Rebuild(t, config)
	require.Empty(t, check(newTagsOf, newRule, false))
	model.Require(t, store, from.FeedsBy(newTagsOf, "a"))

	// The old release is back. A rebuild does not revert the newer rule. A repair does.
	model.Rebuild(t, rebuildConfig(from, store))
	require.Equal(t, both, check(model.TagsOf, 0, true))
	require.Empty(t, check(model.TagsOf, 0, false))
	model.Require(t, store, from.FeedsBy(model.TagsOf, "new-x", "new-y"))
	model.Rebuild(t, config)
	model.Require(t, store, from.FeedsBy(newTagsOf, "a"))
}

// auditOtherFeeds repairs a store by a new FeedsOf.
func auditOtherFeeds(t *testing.T, fixture AuditFixture) {
	items := []model.Change{model.State("x", 1, 1, "a", "b"), model.State("y", 3, 2, "b"), model.Tombstone("z", 2, 3)}
	from := model.NewWriteModel(items...)
	model.Apply(t, fixture.Store, items...)
	config := auditConfig(from, fixture.Store)
	config.Repair = true
	config.FeedsOf = func(item cqrsfeed.Item[model.Body]) []string { return append(model.TagsOf(item)[1:], "new-"+item.ID) }
	summary := model.Audit(t, config)
	require.Equal(t, int64(2), summary.Repaired)
	items[0].Feeds, items[1].Feeds = []string{"b", "new-x"}, []string{"new-y"}
	want := model.Fold(items)
	want["a"] = nil
	model.Require(t, fixture.Store, want)
}
