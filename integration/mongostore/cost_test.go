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
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestRoundTripsDoNotGrowWithTheBatch counts the commands of Apply.
func TestRoundTripsDoNotGrowWithTheBatch(t *testing.T) {
	t.Parallel()
	watched := &commands{}
	db := connect(t, servers.Mongo(t), watched.monitor())
	s, other := open(t, db, mongostore.FeedStoreConfig{}), open(t, db, mongostore.FeedStoreConfig{})
	sentBy := func(s *store, batch ...change) []string {
		watched.forget()
		deliver(t, s, [][]change{batch})
		return watched.sent()
	}
	sent := func(batch ...change) []string { return sentBy(s, batch...) }
	require.ElementsMatch(t, []string{"insert", "find", "aggregate", "insert"}, sent(state("x", 1, "a", "b")),
		"insert the item and read the heads, count the feeds, insert the heads")
	require.Equal(t, []string{"insert", "update"}, sent(state("y", 1, "a", "b")),
		"insert the item, bump: the heads are assumed, and nobody has changed the feeds")
	require.ElementsMatch(t, []string{"insert", "find", "aggregate", "update"}, sentBy(other, state("z", 1, "a", "b")),
		"insert the item and read the heads, count the feeds of another store, bump")
	require.ElementsMatch(t, []string{"find", "update", "find", "aggregate", "update"}, sent(state("y", 2, "a", "b")),
		"read the item, replace it and read the heads, count the feeds, bump")
	require.ElementsMatch(t, []string{"find", "update", "find", "aggregate", "update", "insert", "update"},
		sent(state("x", 2, "b", "c")), "the same, with a new head, and settle the item")
	require.ElementsMatch(t, []string{"find", "find", "aggregate", "update", "find"}, sent(state("x", 2, "b", "c")),
		"read the item and the heads, count the feeds, bump, read the revision of the feed that it left")

	deliver(t, other, [][]change{{state("of another", 1, "a", "b")}})
	require.Equal(t, []string{"insert", "update", "find", "aggregate", "update"}, sent(state("after another", 1, "a", "b")),
		"the assumed heads have changed: read them, count the feeds, bump")
	require.ElementsMatch(t, []string{"insert", "find", "update"}, sent(state("next", 1, "a", "b")),
		"another store changes the feeds: the heads are read beside the insert, and are the known ones")
	require.Equal(t, []string{"insert", "update"}, sent(state("one more", 1, "a", "b")), "this store was the last one twice")

	for _, size := range []int{10, 100, 400} {
		var batch []change
		for i := range size {
			batch = append(batch, state(fmt.Sprintf("%d of %d", i, size), 1, "all", fmt.Sprintf("tag-%d", i)))
		}
		got := sent(batch...)
		for name, most := range map[string]int{"insert": 2, "update": 2, "find": 2, "aggregate": 4} {
			require.LessOrEqual(t, count(got, name), most, "%d items", size)
		}
	}
	require.ElementsMatch(t, []string{"insert", "find", "update", "find"}, sent(state("behind", 1, "all")),
		"the count is pending, so the head is not assumed: insert the item and read the head, bump, read the revision")
}

func count(names []string, name string) int {
	return len(slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n != name }))
}

// TestPageCostIsThatOfItsItems asks the server how it runs the very command that Page sends, on a small
// feed and on a large one: a scan of the index from the cursor, without a sort.
func TestPageCostIsThatOfItsItems(t *testing.T) {
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
	deliver(t, open(t, db, mongostore.FeedStoreConfig{}), [][]change{batch}) // so that s reads the items last

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

// explain returns the stages of the plan of a find command, and checks what the server says it examined.
func explain(t *testing.T, db *mongo.Database, find bson.Raw, limit int) []string {
	t.Helper()
	var command bson.D
	for _, name := range []string{"find", "filter", "sort", "limit", "hint"} {
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
	db, config := connect(t, servers.Mongo(t), nil), mongostore.FeedStoreConfig{CountAtOnce: 50}
	s := open(t, db, config)
	var batch []change
	for i := range 60 {
		batch = append(batch, state(fmt.Sprintf("post-%05d", i), 1, "large"))
	}
	deliver(t, open(t, db, config), [][]change{batch})
	deliver(t, s, [][]change{{state("x", 1, "small", "large")}})
	page, err := s.Page(t.Context(), "large", "", 1)
	require.NoError(t, err)
	require.EqualValues(t, 60, page.Feed.Count)

	updated, err := s.Recount(t.Context())
	require.NoError(t, err)
	require.Equal(t, []cqrsfeed.FeedUpdated{{Feed: "large", Revision: page.Feed.Revision + 1}}, updated)
	page, err = s.Page(t.Context(), "large", "", 1)
	require.NoError(t, err)
	require.Equal(t, cqrsfeed.Feed{Name: "large", Count: 61, Revision: updated[0].Revision}, page.Feed)

	updated, err = s.Recount(t.Context())
	require.NoError(t, err)
	require.Empty(t, updated, "nothing is pending")

	deliver(t, s, [][]change{{state("y", 1, "large")}})
	page, err = s.Page(t.Context(), "large", "", 1)
	require.NoError(t, err)
	require.EqualValues(t, 62, page.Feed.Count, "a new item in a feed whose count was read is not counted")
	updated, err = s.Recount(t.Context())
	require.NoError(t, err)
	require.Empty(t, updated)
	deliver(t, s, [][]change{{state("y", 2, "small")}})
	page, err = s.Page(t.Context(), "large", "", 1)
	require.NoError(t, err)
	require.EqualValues(t, 62, page.Feed.Count, "any other change is")
	require.Equal(t, map[string]int64{"large": 61, "small": 2}, settled(t, s))
}

// TestRecountTellsWhatItCountedBeforeItFailed, before, within and behind each of its groups of 40: the next call does not
// find it again.
func TestRecountTellsWhatItCountedBeforeItFailed(t *testing.T) {
	t.Parallel()
	uri, watched := servers.Mongo(t), &commands{}
	healthyDB, watchedDB := connect(t, uri, nil), connect(t, uri, watched.monitor())
	var feeds []string
	for i := range 90 {
		feeds = append(feeds, fmt.Sprintf("feed-%02d", i))
	}
	for _, n := range []int{1, 2, 5, 6, 7, 10, 11, 12, 14} {
		config := mongostore.FeedStoreConfig{Name: fmt.Sprintf("after%d", n), CountAtOnce: mongostore.Off}
		healthy, doomed := open(t, healthyDB, config), reopen(t, watchedDB, config)
		deliver(t, doomed, [][]change{{state("x", 1, feeds...)}})
		cut, failure := doomed.Recount(watched.crashAfter(t, n))
		require.Equal(t, n == 14, failure == nil, "crash after command %d of %v", n, watched.sent())
		told := make(map[string]bool)
		for _, update := range cut {
			told[update.Feed] = true
		}
		for range driver.RecountCalls {
			rest, err := healthy.Recount(t.Context())
			require.NoError(t, err)
			for _, update := range rest {
				told[update.Feed] = true
			}
		}
		require.Len(t, told, len(feeds), "crash after command %d of %v", n, watched.sent())
		for feed, count := range settled(t, healthy) {
			require.Equal(t, int64(1), count, feed)
		}
	}
}
