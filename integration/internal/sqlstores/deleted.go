package sqlstores

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// Looks returns what a relay does with the messages of a queue: with all topics, without the topic "blocked", and counting.
func Looks(t *testing.T, queue outbox.Outbox) map[string]func() {
	t.Helper()
	return map[string]func(){
		"all topics":  func() { DrainExcept(t, queue, 1000) },
		"some topics": func() { DrainExcept(t, queue, 1000, "blocked") },
		"the backlog": func() {
			_, err := queue.Backlog(t.Context())
			require.NoError(t, err)
		},
	}
}

// RequireDeletedRowsCostNothing shows that a relay reads as many pages beside 50,000 deleted rows, which the server keeps, as
// without them. insert adds n messages of a topic, and pages returns how many pages were read. The queue has messages of the
// topic "blocked".
func RequireDeletedRowsCostNothing(t *testing.T, queue outbox.Outbox, insert func(topic string, n int), pages func() int) {
	t.Helper()
	insert("good", 1)
	looks := Looks(t, queue)
	looks["all topics"]()
	before := map[string]int{}
	for name, look := range looks {
		before[name] = leastPagesRead(pages, look)
	}
	insert("good", 50_000)
	insert("zulu", 50)
	insert("good", 50)
	for DrainExcept(t, queue, 1000, "blocked") > 0 {
	}
	for name, look := range looks {
		deadline := time.Now().Add(20 * time.Second)
		after := leastPagesRead(pages, look)
		for after > before[name]+20 && time.Now().Before(deadline) {
			after = leastPagesRead(pages, look)
		}
		assert.Less(t, after, before[name]+20, "%s: deleted rows are read", name)
	}
	insert("blocked", 1)
	insert("new", 2)
	require.Eventually(t, func() bool { return DrainExcept(t, queue, 10, "blocked") == 2 },
		time.Minute, 10*time.Millisecond, "a topic that is new while another one is left out")
	assert.Equal(t, 1, DrainExcept(t, queue, 10))
}

// leastPagesRead returns how many pages a look reads: the least of several, some of which are sweeps, or of which the server
// reads some for itself.
func leastPagesRead(pages func() int, look func()) int {
	var counts []int
	for range 5 {
		before := pages()
		look()
		counts = append(counts, pages()-before)
	}
	return slices.Min(counts)
}
