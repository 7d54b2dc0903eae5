package client_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// tab opens a page that shares its connection with the other tabs of the window.
func (s *site) tab(t *testing.T, w *window) (tab *window, closeTab func() error) {
	t.Helper()
	opened, closeTab, err := w.OpenTab(s.URL + "/?share=alice")
	require.NoError(t, err)
	tab = &window{opened, t}
	tab.await("typeof streams === 'object'")

	return tab, closeTab
}

// TestThirtyTabsHaveOneConnection, where a browser allows six with HTTP/1.1.
func TestThirtyTabsHaveOneConnection(t *testing.T) {
	t.Parallel()
	s := newSite(t, ssestream.RouterConfig{}, 0)
	w := s.open(t)
	tabs := make([]*window, 30)
	closes := make([]func() error, len(tabs))
	for i := range tabs {
		tabs[i], closes[i] = s.tab(t, w)
		tabs[i].run("follow('count'), follow('row:" + strconv.Itoa(i%10) + "')")
	}
	everywhere := func(count string) {
		t.Helper()
		for i, tab := range tabs {
			tab.await("streams.status === 'live' && told.count.states.at(-1) === " + count +
				" && told['row:" + strconv.Itoa(i%10) + "'].states.at(-1) === " + count)
		}
	}
	everywhere("0")
	s.add(t)
	everywhere("1")
	assert.EqualValues(t, 1, s.router.Stats().Clients)
	assert.Less(t, s.requests.Load(), int64(15), "one for each time that the streams changed")
	tabs[29].run("fetch('/login').then((answer) => { window.written = answer.ok })")
	tabs[29].await("window.written")

	// Whoever goes, and however, the others go on.
	before := s.requests.Load()
	require.NoError(t, closes[0]())
	require.NoError(t, tabs[1].Crash())
	tabs = tabs[20:]
	s.add(t)
	for i, tab := range tabs {
		tab.await("told.count.states.at(-1) === 2 && told['row:" + strconv.Itoa(i%10) + "'].states.at(-1) === 2")
	}
	assert.Equal(t, before, s.requests.Load(), "it was not opened again")
	assert.Equal(t, []int64{0, 1, 2}, value[[]int64](tabs[0], "told.count.states"))
}

// TestTabsThatShareResume after a cut, and are asked for again what was refused.
func TestTabsThatShareResume(t *testing.T) {
	t.Parallel()
	s := newSite(t, ssestream.RouterConfig{}, 0)
	w := s.open(t)
	first, _ := s.tab(t, w)
	first.run("follow('count')")
	first.await("told.count.states.length === 1")
	second, _ := s.tab(t, w)
	second.run("follow('count'), follow('mine')")
	second.await("told.count.states.length > 0 && told.mine.problems.join() === '401'")
	second.run("fetch('/login').then(() => streams.reconnect())")
	second.await("told.mine.states.length === 1")

	s.proxy.Reset() // The connection is cut.
	s.add(t)
	for _, tab := range []*window{first, second} {
		tab.await("streams.status === 'live' && told.count.states.at(-1) === 1")
	}
	assert.EqualValues(t, 1, s.router.Stats().Clients)
	first.run("streams.close(), leave('count')")
	second.run("streams.close()")
	require.Eventually(t, func() bool { return s.router.Stats().Clients == 0 }, 30*time.Second, 10*time.Millisecond)
}

// TestALogoutOfATabThatClosesIsOneOfAll: what it tells the worker comes there although the tab leaves it at once.
func TestALogoutOfATabThatClosesIsOneOfAll(t *testing.T) {
	t.Parallel()
	s := newSite(t, ssestream.RouterConfig{}, 0)
	w := s.open(t)
	first, _ := s.tab(t, w)
	second, _ := s.tab(t, w)
	for _, tab := range []*window{first, second} {
		tab.run("follow('count')")
		tab.await("told.count.states.length === 1")
	}
	second.run("streams.reset(), streams.close()")
	first.await("told.count.states.join() === '0,discarded,0'")
	third, _ := s.tab(t, w)
	third.run("streams.reset(), streams.close()") // It was never in the worker.
	first.await("told.count.states.join() === '0,discarded,0,discarded,0'")
}
