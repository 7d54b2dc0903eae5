package room

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	tracing "go.opentelemetry.io/otel/trace/noop"

	"github.com/feedmill/feedmill/ssestream/internal/observe"
)

// TestDependenciesBothWays compares the index with what was set, under random changes.
func TestDependenciesBothWays(t *testing.T) {
	t.Parallel()
	var count atomic.Int64
	d := newDependencies(&count)
	want := map[*room][]string{}
	rooms := make([]*room, 40)
	for i := range rooms {
		rooms[i] = &room{key: strconv.Itoa(i)}
	}
	for range 2000 {
		rm := rooms[rand.N(len(rooms))]
		keys := make([]string, rand.N(10))
		for i := range keys {
			keys[i] = strconv.Itoa(rand.N(30))
		}
		slices.Sort(keys)
		keys = slices.Compact(keys)
		d.set(rm, keys, d.now())
		want[rm] = keys
		asked := strconv.Itoa(rand.N(30))
		var depend []*room
		for rm, keys := range want {
			if slices.Contains(keys, asked) {
				depend = append(depend, rm)
			}
		}
		require.ElementsMatch(t, depend, d.announce([]string{asked}))
	}
	for rm := range want {
		d.clear(rm)
		d.clear(rm)
	}
	assert.Zero(t, d.size())
	assert.Zero(t, count.Load())
	assert.Empty(t, d.announce([]string{"1"}))
}

// TestDependenciesAreBounded by what rooms depend on now, however many keys there were.
func TestDependenciesAreBounded(t *testing.T) {
	t.Parallel()
	var count atomic.Int64
	d := newDependencies(&count)
	rooms := make([]*room, 100)
	for i := range rooms {
		rooms[i] = &room{}
	}
	round := func(n int) {
		for i, rm := range rooms {
			keys := make([]string, 200)
			for k := range keys {
				keys[k] = strconv.Itoa(n*20_000 + i*200 + k)
			}
			slices.Sort(keys)
			d.set(rm, keys, d.now())
			d.announce(keys)
		}
	}
	for n := range 10 {
		round(n)
	}
	assert.Equal(t, 20_000, d.size(), "200,000 keys later")
	assert.EqualValues(t, 20_000, count.Load())
	for _, rm := range rooms {
		d.clear(rm)
	}
	assert.Zero(t, d.size())
}

// size returns the number of keys. Where it is wrong, an assertion does not print them all.
func (d *dependencies) size() int { return len(d.keys) }

// newRooms returns the rooms of a store whose loads call load.
func newRooms(tb testing.TB, load Load) *Rooms {
	tb.Helper()
	metrics, err := observe.NewMetrics(noop.NewMeterProvider())
	require.NoError(tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	var tasks tasks
	tb.Cleanup(func() {
		cancel()
		tasks.wait()
	})
	config := &Config{
		Closed: ctx, Go: tasks.start, Spawn: func(f func()) bool { tasks.start(f); return true },
		Slots: NewSlots(16, time.Minute), MinBackoff: time.Millisecond, MaxBackoff: time.Second, Metrics: metrics,
		Traces: observe.NewTraces(tracing.NewTracerProvider(), nil, watermill.NopLogger{}), Logger: watermill.NopLogger{},
		Final: func(error) bool { return false },
	}

	return New(config, "topic", load, func(string) {})
}

// tasks are goroutines that a test waits for.
type tasks struct {
	running atomic.Int64
}

func (t *tasks) start(f func()) {
	t.running.Add(1)
	go func() {
		defer t.running.Add(-1)
		f()
	}()
}

func (t *tasks) wait() {
	for t.running.Load() > 0 {
		runtime.Gosched()
	}
}

// TestRoomsThatEndLeaveNothing however joins, leaves, loads and events overlap.
func TestRoomsThatEndLeaveNothing(t *testing.T) {
	t.Parallel()
	errStore := errors.New("store")
	rooms := newRooms(t, func(ctx context.Context, key string, _ []int) (*State, error) {
		DependOn(ctx, []string{"shared", key + "/a"})
		runtime.Gosched()
		if rand.N(4) == 0 {
			return nil, errStore
		}

		return &State{Forms: []Form{{ID: strconv.Itoa(rand.N(1000))}}}, nil
	})
	var joining tasks
	for i := range 8 {
		joining.start(func() {
			for n := range 1000 {
				c := NewClient("")
				rooms.Join(c, strconv.Itoa((i+n)/3), "", 0)
				if n%3 == 0 {
					runtime.Gosched()
				}
				if n%7 == 0 {
					rooms.Mark([]string{"shared"}, func() observe.Cause { return observe.Cause{Since: time.Now()} })
				}
				if n%50 == 0 {
					rooms.Refresh(observe.Cause{})
				}
				c.Leave()
			}
		})
	}
	joining.wait()
	require.Eventually(t, func() bool {
		rooms.mu.RLock()
		defer rooms.mu.RUnlock()
		rooms.dependencies.mu.Lock()
		defer rooms.dependencies.mu.Unlock()

		return len(rooms.open) == 0 && len(rooms.dependencies.keys) == 0
	}, time.Minute, time.Millisecond)
	assert.Zero(t, rooms.config.Metrics.Dependencies.Load())
}

// TestRoomsThatArePutOffAreQueuedOnce however many events come before they are refreshed.
func TestRoomsThatArePutOffAreQueuedOnce(t *testing.T) {
	t.Parallel()
	const n = 100
	var held atomic.Bool
	gate := make(chan struct{})
	rooms := newRooms(t, func(ctx context.Context, key string, _ []int) (*State, error) {
		DependOn(ctx, []string{"popular"})
		if held.Load() {
			<-gate
		}

		return &State{Forms: []Form{{ID: key}}}, nil
	})
	for i := range n {
		c := NewClient("")
		require.True(t, rooms.Join(c, strconv.Itoa(i), "", 0))
		ok, err := c.Await(t.Context(), time.Minute, nil, nil)
		require.True(t, ok)
		require.NoError(t, err)
		t.Cleanup(c.Leave)
	}
	held.Store(true)
	for range 50 {
		rooms.Mark([]string{"popular"}, func() observe.Cause { return observe.Cause{Since: time.Now()} })
		rooms.Refresh(observe.Cause{})
	}
	rooms.refreshing.mu.Lock()
	queued := len(rooms.refreshing.queue)
	rooms.refreshing.mu.Unlock()
	assert.LessOrEqual(t, queued, n)
	close(gate)
	require.Eventually(t, func() bool {
		rooms.refreshing.mu.Lock()
		defer rooms.refreshing.mu.Unlock()

		return !rooms.refreshing.running
	}, time.Minute, time.Millisecond)
}

// TestRoomsThatArePutOffBecomeStale when the loads before theirs take too long. Those of which nothing says that they have changed
// do not, but the ones that load.
func TestRoomsThatArePutOffBecomeStale(t *testing.T) {
	t.Parallel()
	const n, limit = 100, 10 * time.Second
	for name, test := range map[string]struct {
		ask   func(rooms *Rooms)
		stale int
	}{
		"an event": {func(rooms *Rooms) {
			rooms.Mark([]string{"popular"}, func() observe.Cause { return observe.Cause{Since: time.Now()} })
		}, n},
		"no event": {func(rooms *Rooms) { rooms.Refresh(observe.Cause{}) }, 8},
	} {
		synctest.Test(t, func(t *testing.T) {
			var hangs atomic.Bool
			rooms := newRooms(t, func(ctx context.Context, key string, _ []int) (*State, error) {
				DependOn(ctx, []string{"popular"})
				if hangs.Load() {
					<-ctx.Done()
				}

				return &State{Forms: []Form{{ID: key}}}, ctx.Err()
			})
			for i := range n {
				c := NewClient("")
				require.True(t, rooms.Join(c, strconv.Itoa(i), "", 0))
				t.Cleanup(c.Leave)
			}
			synctest.Wait()
			hangs.Store(true)
			test.ask(rooms)
			<-time.After(limit - 1)
			rooms.TellStale(limit)
			assert.Zero(t, rooms.config.Metrics.Stale.Load(), name)
			<-time.After(1)
			rooms.TellStale(limit)
			assert.EqualValues(t, test.stale, rooms.config.Metrics.Stale.Load(), name)
		})
	}
}

// TestARoomIsNotMany because it depends on many keys of one event: it need not wait for others.
func TestARoomIsNotMany(t *testing.T) {
	t.Parallel()
	keys := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}
	rooms := newRooms(t, func(ctx context.Context, key string, _ []int) (*State, error) {
		DependOn(ctx, keys)

		return &State{Forms: []Form{{ID: key}}}, nil
	})
	require.Greater(t, len(keys), rooms.config.Slots.refreshing())
	rooms.config.Spawn = func(func()) bool {
		t.Error("the room is put off")

		return false
	}
	c := NewClient("")
	require.True(t, rooms.Join(c, "timeline", "", 0))
	t.Cleanup(c.Leave)
	_, err := c.Await(t.Context(), time.Minute, nil, nil)
	require.NoError(t, err)
	rooms.Mark(keys, func() observe.Cause { return observe.Cause{Since: time.Now()} })
}

// BenchmarkDependencies is the price of what an event, and a load, do to the index of 10,000 rooms that depend on 200 of
// 20,000 keys each. The first is an event about a key that 100 rooms depend on, without their loads; the second one about a
// key that nothing depends on; the third one with an index that is not in use. The last two are a load that tells the keys
// of the load before, and one that tells others.
func BenchmarkDependencies(b *testing.B) {
	const rooms, each, keys = 10_000, 200, 20_000
	var count atomic.Int64
	d := newDependencies(&count)
	unused := newDependencies(&count)
	names := make([]string, keys)
	for i := range names {
		names[i] = "feed" + strconv.Itoa(100_000+i)
	}
	told := func(r, shift int) []string {
		told := make([]string, each)
		for i := range told {
			told[i] = names[(r*each+i*7+shift)%keys]
		}
		slices.Sort(told)

		return told
	}
	before := inUse()
	all := make([]*room, rooms)
	for r := range all {
		all[r] = &room{}
		d.set(all[r], told(r, 0), d.now())
	}
	bytes := float64(inUse()-before) / rooms / each
	b.Run("followed", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			d.announce(names[n%keys : n%keys+1])
		}
		b.ReportMetric(bytes, "B/dependency")
	})
	b.Run("not followed", func(b *testing.B) {
		for b.Loop() {
			d.announce([]string{"x", "y", "z"})
		}
	})
	b.Run("not in use", func(b *testing.B) {
		for b.Loop() {
			unused.announce([]string{"x", "y", "z"})
		}
	})
	b.Run("load", func(b *testing.B) {
		same := told(0, 0)
		for b.Loop() {
			d.set(all[0], same, d.now())
		}
	})
	b.Run("load with others", func(b *testing.B) {
		others := [][]string{told(0, 0), told(0, 1)}
		for n := 1; b.Loop(); n++ {
			d.set(all[0], others[n%2], d.now())
		}
	})
	runtime.KeepAlive(all)
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)

	return m.HeapAlloc
}
