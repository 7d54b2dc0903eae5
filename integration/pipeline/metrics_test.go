package pipeline_test

import (
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testMetrics looks for the gauges of NATS, which is opened before the microblog is made.
func testMetrics(t *testing.T, s *site) {
	t.Helper()
	s.create(t, "counted")
	names := []string{"cqrsfeed_outbox_depth"}
	if slices.ContainsFunc(s.runs, func(a slog.Attr) bool { return a.Key == "nats" }) {
		names = append(names, "natspubsub_topic_messages", "natspubsub_topic_headroom", "natspubsub_topic_unread",
			"natspubsub_topic_unread_age_seconds", "cqrsfeed_projector_backlog_age_seconds")
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		shown := s.do(t, http.MethodGet, "/metrics", nil).body
		for _, name := range names {
			assert.Contains(c, string(shown), "\n"+name+"{")
		}
	}, timeout, 50*time.Millisecond)
}
