package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// stage is a microblog under test, its writers, and what they know.
type stage struct {
	client *http.Client
	url    string
	posts  cqrsfeed.Repository[post.Post] // the write model, read without faults
	ledger *ledger
	prober *writer
	page   *ssestreamtest.Recorder // an open page of the prober's feed

	queues  int // how many tell the age of what waits in them: the outbox, and NATS
	rate    int // changes a second: recovery is to be seen, which needs time left over
	writers int // how many make them

	before, during, after pace // of all faults
	recoveries            recoveries
}

func newStage(t *testing.T, url string, posts cqrsfeed.Repository[post.Post]) *stage {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}
	s := &stage{client: client, url: url, posts: posts, ledger: &ledger{}, queues: 2, rate: 60, writers: 64}
	s.prober = &writer{name: "probe", client: client, url: url, ledger: s.ledger}
	source := ssestreamtest.Open(context.WithoutCancel(t.Context()), client, url+"/api/feeds/probe", ssestreamtest.WithMaxWait(200*time.Millisecond))
	s.page = ssestreamtest.Record(source)
	t.Cleanup(func() {
		require.NoError(t, s.page.Close())
		client.CloseIdleConnections()
	})
	return s
}

// fault is a disturbance that ends after a while. begin and end may be nil.
type fault struct {
	name  string
	begin func(t *testing.T)
	lasts time.Duration // at least
	end   func(t *testing.T)
	// harmless faults keep no change from being accepted. They last until some changes were accepted meanwhile.
	harmless bool
}

// run causes the faults one after the other while posts are written, repeatedly in the long form. It then compares the write
// model, the feeds and the open page with what was accepted.
func (s *stage) run(t *testing.T, faults []fault) {
	t.Helper()
	writing, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var work sync.WaitGroup
	work.Go(func() { writeAll(writing, s.client, s.url, s.rate, s.writers, s.ledger) })
	defer work.Wait()
	defer stop()
	for began := time.Now(); ; {
		for _, f := range faults {
			s.happens(t, f)
		}
		if time.Since(began) >= long(t) {
			break
		}
		s.verifyCounts(t)
	}
	stop()
	work.Wait()
	s.verify(t)
}

// verifyCounts fails early, so that the long form does not go on for hours after a failure.
func (s *stage) verifyCounts(t *testing.T) {
	t.Helper()
	require.Empty(t, s.ledger.complaints())
	t.Logf("so far %d changes were accepted", s.ledger.accepted.Load())
}

// happens causes a fault and waits for the recovery. It logs how long that took, in a line of the table that verify repeats,
// and how many changes were accepted before the fault, from its begin until the open page shows a new post, and after that.
func (s *stage) happens(t *testing.T, f fault) {
	t.Helper()
	calm := int64(s.rate) / 2
	before := s.goesOn(t, calm, "before "+f.name)
	unknown, asked := s.ledger.unknown.Load(), s.ledger.asked.Load()
	s.ledger.slowest.Store(0)

	broken := s.ledger.measure()
	if f.begin != nil {
		f.begin(t)
	}
	<-time.After(f.lasts) // the fault lasts
	if f.harmless {
		underWay := int64(s.writers) // at most, when the fault began
		s.goesOn(t, underWay+calm/10, "during "+f.name)
	}
	if f.end != nil {
		f.end(t)
	}
	ended := time.Now()
	r := s.recovery(t, f.name)
	during := broken()
	r.caughtUp = s.catchUp(t, ended)
	unknown, asked = s.ledger.unknown.Load()-unknown, s.ledger.asked.Load()-asked
	slowest := time.Duration(s.ledger.slowest.Load()).Round(10 * time.Millisecond)
	after := s.goesOn(t, calm, "after "+f.name)

	s.before.add(before)
	s.during.add(during)
	s.after.add(after)
	s.recoveries.add(f.name, r)
	t.Logf("%s; %d of %d changes were not accepted, slowest answer %s; accepted before it %s, until shown again %s, after %s",
		r.line(f.name), unknown, asked, slowest, before, during, after)
}

// goesOn waits until so many more changes are accepted.
func (s *stage) goesOn(t *testing.T, changes int64, when string) pace {
	t.Helper()
	done := s.ledger.measure()
	before := s.ledger.accepted.Load()
	require.Eventually(t, func() bool { return s.ledger.accepted.Load() >= before+changes }, patience, 5*time.Millisecond,
		"%s %d changes are not accepted", when, changes)
	return done()
}

// recovery waits until a new post is accepted, and then until the open page shows it.
func (s *stage) recovery(t *testing.T, after string) (found recovery) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var r *record
	for r == nil || r.id == "" {
		if r != nil {
			<-time.After(20 * time.Millisecond)
		}
		require.NoError(t, ctx.Err(), "no post is accepted after %s", after)
		r = s.prober.create(context.WithoutCancel(ctx), fmt.Sprintf("after %s #probe", after))
	}
	found.accepted = time.Since(began)
	err := s.page.Wait(ctx, func(page *ssestreamtest.Recorder) bool { return strings.Contains(page.Last().Data, r.id) })
	if err != nil {
		_, there, reading := readFeed(t.Context(), s.client, s.url, "probe")
		require.NoError(t, err, "after %s the page does not show post %s; a plain read has version %d of it, %v", after, r.id, there[r.id], reading)
	}
	found.shown = time.Since(began)
	return found
}

// verify compares the accepted changes with the posts, the posts with the feeds, and the open page with its feed.
func (s *stage) verify(t *testing.T) {
	t.Helper()
	require.Empty(t, s.ledger.complaints(), "no fault explains these responses")
	want, err := checkWrites(t.Context(), s.posts, s.ledger.all())
	require.NoError(t, err)
	began := time.Now()
	for err = checkFeeds(t.Context(), s.client, s.url, want); err != nil && time.Since(began) < 2*patience; {
		<-time.After(100 * time.Millisecond)
		err = checkFeeds(t.Context(), s.client, s.url, want)
	}
	require.NoError(t, err, "the feeds are not what the posts make them")
	settled := time.Since(began)
	_, answer, err := request(t.Context(), s.client, http.MethodGet, s.url+"/api/feeds/probe", nil)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.page.Wait(ctx, func(page *ssestreamtest.Recorder) bool { return page.Last().Data == string(answer) }))
	entries := 0
	for _, posts := range want {
		entries += len(posts)
	}
	t.Logf("RESULT %s: changes accepted before faults: %s; from their begin until one was shown again: %s; after: %s. %d/s were to be made; %d of all were left out, as no writer was free",
		t.Name(), s.before, s.during, s.after, s.rate, s.ledger.leftOut.Load())
	t.Logf("RESULT %s: how long after the end of each fault\n%s", t.Name(), s.recoveries.table())
	t.Logf("%d changes were accepted, of %d nobody knew; the %d entries of %d feeds are exactly right, %s after the last write",
		s.ledger.accepted.Load(), s.ledger.unknown.Load(), entries, len(want), settled.Round(time.Millisecond))
}
