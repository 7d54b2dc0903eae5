package pipeline_test

import "testing"

// TestPipeline runs one microblog on each variant. Most of its tests share it, in feeds of their own.
func TestPipeline(t *testing.T) {
	t.Parallel()
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			testPlace(t, v.fresh(t))
		})
	}
}

func testPlace(t *testing.T, where place) {
	t.Helper()
	s := newSite(t, where)
	t.Run("together", func(t *testing.T) { testTogether(t, s) })
	// These run alone.
	t.Run("latency", func(t *testing.T) { testLatency(t, s) })
	t.Run("restart", func(t *testing.T) { testRestart(t, s) })
	t.Run("shutdown", func(t *testing.T) { testShutdown(t, s) })
}

// testTogether runs the tests with feeds of their own in parallel.
func testTogether(t *testing.T, s *site) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *site){
		"create":              testCreate,
		"update changes tags": testUpdateTags,
		"delete":              testDelete,
		"post page":           testPostPage,
		"lost update":         testLostUpdate,
		"metrics":             testMetrics,
		"entity tags":         testEntityTags,
		"paging":              testPaging,
		"concurrent posts":    testConcurrentPosts,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}
