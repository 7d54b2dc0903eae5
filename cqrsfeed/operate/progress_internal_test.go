package operate

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

// shown returns what is printed for summaries at their times.
func shown(t *testing.T, total int64, steps ...any) string {
	t.Helper()
	var output bytes.Buffer
	synctest.Test(t, func(*testing.T) {
		lines := &progressLines{output: &output}
		lines.begin(total)
		for _, step := range steps {
			switch s := step.(type) {
			case time.Duration:
				<-time.After(s)
			case readmodel.RebuildSummary:
				lines.show(s)
			}
		}
		lines.end()
	})
	return output.String()
}

func TestProgress(t *testing.T) {
	t.Parallel()
	at := func(items int64) readmodel.RebuildSummary { return readmodel.RebuildSummary{Items: items} }
	steps := []any{
		5 * time.Second, at(500), time.Millisecond, at(600), 5*time.Second - time.Millisecond, at(1000), 10 * time.Second, at(2100), at(2100),
	}
	require.Equal(t, "rebuild:  25 %, 500 of 2000 items, 100 a second, 15s left\n"+
		"rebuild:  50 %, 1000 of 2000 items, 100 a second, 10s left\n"+
		"rebuild: 100 %, 2100 of 2000 items, 105 a second\n", shown(t, 2000, steps...), "600 came too soon")
	require.Equal(t, "rebuild:  50 %, 10 of 20 items, 10 a second, 1s left\n"+
		"rebuild: 100 %, 20 of 20 items, 20 a second\n"+
		"rebuild: 20 items, 2 feeds counted\n"+
		"rebuild: 20 items, 3 feeds counted\n", shown(t, 20,
		time.Second, at(10), at(20), readmodel.RebuildSummary{Items: 20, Recounted: 2}, readmodel.RebuildSummary{Items: 20, Recounted: 3},
	), "it does not stand still at 100 %")
	require.Equal(t, "rebuild: 7 items, 1 a second\n", shown(t, 0, 7*time.Second, at(7)), "without a total")
	require.Empty(t, shown(t, 0))
}
