package mongostore_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestRoundTripsDoNotGrowWithTheBatch counts the commands of Apply.
func TestRoundTripsDoNotGrowWithTheBatch(t *testing.T) {
	t.Parallel()
	watched := &commands{}
	s := open(t, connect(t, servers.Mongo(t), watched.monitor()), mongostore.FeedStoreConfig{})
	sent := func(batch ...change) []string {
		watched.forget()
		deliver(t, s, [][]change{batch})
		names := watched.sent()
		slices.Sort(names)
		return names
	}
	create := []string{"aggregate", "find", "insert", "insert", "update", "update", "update"}
	require.Equal(t, create, sent(state("x", 1, "a", "b")), "claim, entries, bump, verify beside heads and counts, store counts")
	require.Equal(t, []string{"aggregate", "delete", "find", "find", "update", "update", "update", "update", "update", "update"},
		sent(state("x", 2, "b", "c")), "and read back, clear leftovers, and bump the new feed beside the known ones")
	require.Equal(t, []string{"find", "find", "update"}, sent(state("x", 2, "b", "c")),
		"a repeated batch that was done is only announced")

	for _, size := range []int{10, 100, 400} {
		var batch []change
		for i := range size {
			batch = append(batch, state(fmt.Sprintf("%d of %d", i, size), 1, "all", fmt.Sprintf("tag-%d", i)))
		}
		got := sent(batch...)
		for _, name := range []string{"find", "update"} {
			require.LessOrEqual(t, count(got, name), count(create, name)+1, "%d items: known feeds are bumped beside new ones", size)
		}
		require.LessOrEqual(t, count(got, "aggregate"), 4)
	}
}

func count(names []string, name string) int {
	return len(slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n != name }))
}

// TestPageCostIsThatOfItsEntries asks the server how it runs the very command that Page sends, on a small
// feed and on a large one: a walk of the index of _id from the cursor, without a sort.
func TestPageCostIsThatOfItsEntries(t *testing.T) {
	t.Parallel()
	watched := &commands{}
	db := connect(t, servers.Mongo(t), watched.monitor())
	s := open(t, db, mongostore.FeedStoreConfig{})
	var batch []change
	for i := range 5_000 {
		feeds := []string{"large"}
		if i < 20 {
			feeds = append(feeds, "small")
		}
		batch = append(batch, state(fmt.Sprintf("post-%05d", i), 1, feeds...))
	}
	deliver(t, s, [][]change{batch})

	const limit = 10
	var plans [][]string
	for _, feed := range []string{"small", "large"} {
		first, err := s.Page(t.Context(), feed, "", limit)
		require.NoError(t, err)
		plans = append(plans, explain(t, db, watched.last("find"), limit))
		_, err = s.Page(t.Context(), feed, first.Next, limit)
		require.NoError(t, err)
		plans = append(plans, explain(t, db, watched.last("find"), limit))
	}
	for _, plan := range plans {
		require.NotContains(t, plan, "Bitmap Heap Scan", "which reads all that match")
		require.Equal(t, plans[0], plan)
	}
}

// TestSecondLookCostIsThatOfWhatIsDue asks the server how it finds the items that are due among many.
func TestSecondLookCostIsThatOfWhatIsDue(t *testing.T) {
	t.Parallel()
	watched := &commands{}
	db := connect(t, servers.Mongo(t), watched.monitor())
	s, later := open(t, db, mongostore.FeedStoreConfig{}), open(t, db, mongostore.FeedStoreConfig{SecondLook: 1})
	var batch []change
	for i := range 5_000 {
		batch = append(batch, state(fmt.Sprintf("post-%05d", i), 1, "large"))
	}
	deliver(t, s, [][]change{batch, {state("post-00007", 2, "other")}})
	_, err := later.Recount(t.Context())
	require.NoError(t, err)
	for _, find := range watched.all("find") {
		if _, err := find.LookupErr("filter", "left"); err == nil {
			explain(t, db, find, 1)
			return
		}
	}
	require.Fail(t, "nobody asked for what is due")
}

// explain returns the stages of the plan of a find command, and checks what the server says it examined.
func explain(t *testing.T, db *mongo.Database, find bson.Raw, limit int) []string {
	t.Helper()
	var command bson.D
	for _, name := range []string{"find", "filter", "sort", "limit"} {
		if value, err := find.LookupErr(name); err == nil {
			command = append(command, bson.E{Key: name, Value: value})
		}
	}
	var answer bson.M
	require.NoError(t, db.RunCommand(t.Context(),
		bson.D{{Key: "explain", Value: command}, {Key: "verbosity", Value: "executionStats"}}).Decode(&answer))
	var stages []string
	walk(answer, func(key string, value any) {
		switch key {
		case "stage", "Node Type", "Index Name", "Scan Direction":
			stages = append(stages, fmt.Sprint(value))
		case "totalDocsExamined", "totalKeysExamined":
			require.LessOrEqual(t, number(t, value), limit+2, key)
		}
	})
	slices.Sort(stages)
	stages = slices.Compact(stages)
	require.NotEmpty(t, stages)
	for _, stage := range []string{"Sort", "SORT", "Seq Scan", "COLLSCAN"} {
		require.NotContains(t, stages, stage)
	}
	return stages
}

// number reads a number of any BSON type.
func number(t *testing.T, value any) int {
	t.Helper()
	n, err := strconv.ParseFloat(fmt.Sprint(value), 64)
	require.NoError(t, err)
	return int(n)
}

// walk visits every field of a document.
func walk(value any, visit func(key string, value any)) {
	switch v := value.(type) {
	case bson.M:
		for key, field := range v {
			visit(key, field)
			walk(field, visit)
		}
	case bson.D:
		for _, field := range v {
			visit(field.Key, field.Value)
			walk(field.Value, visit)
		}
	case bson.A:
		for _, element := range v {
			walk(element, visit)
		}
	}
}

// TestLargeFeedsAreCountedByRecount shows who counts what, and that followers of the count are told.
func TestLargeFeedsAreCountedByRecount(t *testing.T) {
	t.Parallel()
	s := openFresh(t, mongostore.FeedStoreConfig{CountAtOnce: 50})
	var batch []change
	for i := range 60 {
		batch = append(batch, state(fmt.Sprintf("post-%05d", i), 1, "large"))
	}
	deliver(t, s, [][]change{batch, {state("x", 1, "small")}})
	page, err := s.Page(t.Context(), "large", "", 1)
	require.NoError(t, err)
	require.Zero(t, page.Feed.Count)

	updated, err := s.Recount(t.Context())
	require.NoError(t, err)
	require.Equal(t, []cqrsfeed.FeedUpdated{{Feed: "large", Revision: page.Feed.Revision + 1}}, updated)
	page, err = s.Page(t.Context(), "large", "", 1)
	require.NoError(t, err)
	require.Equal(t, cqrsfeed.Feed{Name: "large", Count: 60, Revision: updated[0].Revision}, page.Feed)

	updated, err = s.Recount(t.Context())
	require.NoError(t, err)
	require.Empty(t, updated, "nothing is pending")
}

// TestRecountTellsWhatItCountedBeforeItFailed, at whatever command that is: the next one does not find it again.
func TestRecountTellsWhatItCountedBeforeItFailed(t *testing.T) {
	t.Parallel()
	uri, watched := servers.Mongo(t), &commands{}
	healthyDB, watchedDB := connect(t, uri, nil), connect(t, uri, watched.monitor())
	var feeds []string
	for i := range 90 { // more than are counted together
		feeds = append(feeds, fmt.Sprintf("feed-%02d", i))
	}
	for n := 1; ; n++ {
		require.Less(t, n, mostCommands)
		config := mongostore.FeedStoreConfig{CollectionPrefix: fmt.Sprintf("after%d.", n), CountedFeeds: 1}
		healthy, doomed := open(t, healthyDB, config), open(t, watchedDB, config)
		deliver(t, healthy, [][]change{{state("x", 1, feeds...)}})
		cut, failure := doomed.Recount(watched.crashAfter(t, n))
		rest, err := healthy.Recount(t.Context())
		require.NoError(t, err)
		told := make(map[string]bool)
		for _, update := range append(cut, rest...) {
			told[update.Feed] = true
		}
		require.GreaterOrEqual(t, len(told), len(feeds)-1, "crash after command %d of %v", n, watched.sent())
		for feed, count := range settled(t, healthy) {
			require.Equal(t, int64(1), count, feed)
		}
		if failure == nil {
			return
		}
	}
}
