package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/feedmill/feedmill/integration/browser/internal/site"
	"github.com/feedmill/feedmill/integration/internal/chrome"
)

const (
	width, height = 1280, 900
	pagePosts     = 50 // posts of the newest page of a feed
	live          = `document.querySelector('[data-testid="connection"]')?.dataset.status === 'live'`
	shownPosts    = `document.querySelectorAll('[data-testid="post"]').length`
)

// draft returns a post of words with so many characters.
func draft(n, characters int) site.Draft {
	words := fmt.Sprintf("Post %d of #figures. ", n) + strings.Repeat("Everybody reads along as it happens. ", characters/30)
	return site.Draft{Author: "Ada", Title: fmt.Sprint("Post ", n), Content: strings.TrimSpace(words[:characters])}
}

// fill writes posts for a whole page and opens the timeline. It shows fewer if they are long, because a page is bounded in bytes.
func (v visit) fill(characters int) (*chrome.Window, error) {
	for n := range pagePosts {
		if _, err := v.write(draft(n, characters)); err != nil {
			return nil, err
		}
	}
	window, err := v.browser.Open(v.microblog.URL, width, height)
	if err != nil {
		return nil, err
	}
	return window, window.Await(live + " && " + shownPosts + " > 0")
}

// clickToPaint measures from a click on the button in one window until the post is painted in another.
func clickToPaint(v visit) (string, error) {
	const posts = 50
	follower, err := v.fill(280)
	if err != nil {
		return "", err
	}
	writer, err := v.browser.Open(v.microblog.URL, width, height)
	if err != nil {
		return "", err
	}
	steps := []step{
		{writer, live + ` && (addEventListener('click', (event) => { window.clicked = performance.timeOrigin + event.timeStamp }, true), true)`},
		// What has changed in a frame is painted before the next task.
		{follower, `(new MutationObserver(() => requestAnimationFrame(() => {
			const { port1, port2 } = new MessageChannel()
			const newest = document.querySelector('[data-testid="post"] .post-content').textContent
			port1.onmessage = () => { window.painted = { newest, at: performance.timeOrigin + performance.now() } }
			port2.postMessage(undefined)
		})).observe(document.querySelector('.post-list'), { childList: true }), true)`},
	}
	if err := await(steps...); err != nil {
		return "", err
	}
	if err := writer.Type("post-author", "Ada"); err != nil {
		return "", err
	}
	took := make([]float64, 0, posts)
	for n := range posts {
		content := fmt.Sprint("Click ", n)
		if err := writer.Type("post-content", content); err != nil {
			return "", err
		}
		if err := writer.Click("post-submit"); err != nil {
			return "", err
		}
		if err := follower.Await(fmt.Sprintf("window.painted?.newest === %q", content)); err != nil {
			return "", err
		}
		clicked, err := chrome.Value[float64](writer, "window.clicked")
		if err != nil {
			return "", err
		}
		painted, err := chrome.Value[float64](follower, "window.painted.at")
		if err != nil {
			return "", err
		}
		took = append(took, painted-clicked)
	}
	slices.Sort(took)
	return fmt.Sprintf("click in one window to painted in another: median %.0f ms, 90 %% within %.0f ms (%d posts)",
		took[posts/2], took[posts*9/10], posts), nil
}

// step is an expression that becomes true in a window.
type step struct {
	window     *chrome.Window
	expression string
}

func await(steps ...step) error {
	for _, step := range steps {
		if err := step.window.Await(step.expression); err != nil {
			return err
		}
	}
	return nil
}

// firstPaint measures the first paint of the timeline at 1.6 Mbit/s.
func firstPaint(v visit) (string, error) {
	const megabit, latency = 1e6 / 8, 150
	if _, err := v.fill(280); err != nil {
		return "", err
	}
	window, err := v.browser.Open("about:blank", width, height)
	if err != nil {
		return "", err
	}
	if err := window.SlowDown(1.6*megabit, latency); err != nil {
		return "", err
	}
	if err := window.Navigate(v.microblog.URL); err != nil {
		return "", err
	}
	if err := window.Await(shownPosts + " > 0 && document.querySelector('[data-post]').getClientRects().length > 0"); err != nil {
		return "", err
	}
	paint, err := chrome.Value[float64](window, `performance.getEntriesByName('first-contentful-paint')[0].startTime`)
	if err != nil {
		return "", err
	}
	bytes, err := chrome.Value[float64](window, `performance.getEntries().reduce((sum, { transferSize }) => sum + (transferSize ?? 0), 0)`)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("first paint at 1.6 Mbit/s and %d ms a request: %.2f s (%.0f KB)", latency, paint/1000, bytes/1000), nil
}

// postSize measures the bytes that the stream of a window is sent for each new post.
func postSize(characters int) func(visit) (string, error) {
	return func(v visit) (string, error) {
		const posts = 20
		window, err := v.fill(characters)
		if err != nil {
			return "", err
		}
		before := v.microblog.Stats().Bytes
		for n := range posts {
			post, err := v.write(draft(pagePosts+n, characters))
			if err != nil {
				return "", err
			}
			if err := window.Await(fmt.Sprintf(`document.querySelector('[data-post=%q]') !== null`, post.ID)); err != nil {
				return "", err
			}
		}
		bytes := (v.microblog.Stats().Bytes - before) / posts
		shown, err := chrome.Value[int](window, shownPosts)
		return fmt.Sprintf("a new post of %d characters in a page of %d: %d bytes to each window", characters, shown, bytes), err
	}
}

// load measures what the timeline needs at twenty posts a second.
func load(characters int) func(visit) (string, error) {
	return func(v visit) (string, error) {
		const (
			rate   = 20
			lasts  = 20 * time.Second
			settle = 2 * time.Second
		)
		window, err := v.fill(characters)
		if err != nil {
			return "", err
		}
		if err := await(step{window, `(window.longTasks = 0, new PerformanceObserver((list) => { window.longTasks += list.getEntries().length })
			.observe({ type: 'longtask' }), true)`}); err != nil {
			return "", err
		}
		stop, written := make(chan struct{}), make(chan error, 1)
		var last string
		go func() {
			var err error
			last, err = v.writeMany(stop, rate, characters)
			written <- err
		}()
		end := sync.OnceValue(func() error {
			close(stop)
			return <-written
		})
		defer end() //nolint:errcheck // it is the error of the load if there is no other
		<-time.After(settle)
		before, err := window.Metrics()
		if err != nil {
			return "", err
		}
		if err := await(step{window, "(window.longTasks = 0, true)"}); err != nil {
			return "", err
		}
		<-time.After(lasts)
		after, err := window.Metrics()
		if err != nil {
			return "", err
		}
		long, err := chrome.Value[int](window, "window.longTasks")
		if err != nil {
			return "", err
		}
		if err := end(); err != nil {
			return "", err
		}
		if err := await(step{window, fmt.Sprintf(`document.querySelector('[data-testid="post"]').dataset.post === %q`, last)}); err != nil {
			return "", err
		}
		share := func(name string) float64 {
			return 100 * (after[name] - before[name]) / (after["Timestamp"] - before["Timestamp"])
		}
		return fmt.Sprintf("page at %d posts a second of %d characters: %.0f %% of a core (script %.0f, style %.0f, layout %.0f; whole process %.0f), %d long tasks in %s",
			rate, characters, share("TaskDuration"), share("ScriptDuration"), share("RecalcStyleDuration"), share("LayoutDuration"),
			share("ProcessTime"), long, lasts), nil
	}
}

// writeMany writes posts at a rate until it is stopped, and returns the ID of the last one.
func (v visit) writeMany(stop <-chan struct{}, rate, characters int) (last string, err error) {
	ticks := time.NewTicker(time.Second / time.Duration(rate))
	defer ticks.Stop()
	for n := pagePosts; ; n++ {
		select {
		case <-stop:
			return last, nil
		case <-ticks.C:
			next := draft(n, characters)
			next.Content = strings.ReplaceAll(next.Content, "#", "") // Write waits for the feeds of tags
			written, err := v.write(next)
			if err != nil {
				return last, err
			}
			last = written.ID
		}
	}
}
