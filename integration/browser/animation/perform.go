package main

import (
	"fmt"

	"github.com/feedmill/feedmill/integration/browser/internal/site"
	"github.com/feedmill/feedmill/integration/internal/chrome"
)

const width, height = 900, 640

// stage performs in a window and takes a picture after each step.
type stage struct {
	window *chrome.Window
	film   *film
}

// seeds are the posts that are there before, the oldest first.
func seeds() []site.Draft {
	return []site.Draft{
		{Author: "Priya", Content: "EventSource is enough: the browser reconnects by itself. #sse"},
		{Author: "Jonas", Content: "Write the row and its event in one transaction. #outbox #events"},
		{Author: "Ines", Content: "Ethiopian beans, a coarser grind, and suddenly there is blueberry. #coffee"},
	}
}

// perform writes at the left, cuts the window at the right, writes on and connects it again.
func perform(browser *chrome.Browser, url string, film *film) error {
	window, err := browser.Open(url, width, height)
	if err != nil {
		return err
	}
	s := &stage{window, film}
	const (
		posts    = `document.querySelectorAll('.mini-window')[%d].querySelectorAll('[data-testid="post"]').length === %d`
		restless = `document.querySelectorAll('[data-status="live"]').length !== 2`
	)
	for _, step := range []func() error{
		s.await("!(" + restless + ")"),
		s.await(fmt.Sprintf(posts, 1, len(seeds()))),
		s.prepare,
		func() error { return window.Type("post-author", "Mara") },
		s.shoot(80),
		s.write("One load for each change, a thousand open tabs. #sse"),
		s.click("post-submit"),
		s.await(fmt.Sprintf(posts, 1, 4) + ` && document.querySelector('[data-testid="latency"]') !== null`),
		s.shoot(130),
		s.click("cut"),
		s.await(restless),
		s.shoot(60),
		s.write("Does it get this?"),
		s.click("post-submit"),
		s.await(`document.querySelector('[data-testid="cut-notice"]').textContent.includes('1 post missed')`),
		s.shoot(50),
		s.click("post-random"),
		s.await(`document.querySelector('[data-testid="cut-notice"]').textContent.includes('2 posts missed')`),
		s.shoot(80),
		s.click("cut"),
		s.await(fmt.Sprintf(posts, 1, 6) + ` && document.querySelector('[data-testid="cut-notice"]').textContent.includes('Caught up')`),
		s.shoot(250),
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) await(expression string) func() error {
	return func() error { return s.window.Await(expression) }
}

// prepare adds a pointer to the page, which a picture does not have, and removes what moves by itself.
func (s *stage) prepare() error {
	return s.window.Await(`(() => {
		document.documentElement.style.scrollbarGutter = 'auto'
		document.documentElement.style.overflow = 'hidden'
		document.body.insertAdjacentHTML('beforeend', '<svg id="pointer" viewBox="0 0 16 24" width="18" height="27">' +
			'<path d="M1 1v18l4.5-4 3 7 3-1.3-3-6.7H15z" fill="#111" stroke="#fff" stroke-width="1.5"/></svg>')
		const style = new CSSStyleSheet()
		style.replaceSync('#pointer { position: fixed; z-index: 9999; pointer-events: none; left: 300px; top: 330px } ' +
			'* { caret-color: transparent !important; transition: none !important; animation: none !important } ' +
			'.mini-window { box-shadow: none !important }')
		document.adoptedStyleSheets = [style]
		return true
	})()`)
}

// shoot takes a picture that is shown for so many hundredths of a second.
func (s *stage) shoot(delay int) func() error {
	return func() error {
		picture, err := s.window.Screenshot()
		if err != nil {
			return err
		}
		return s.film.add(picture, delay)
	}
}

// write types a text into the form, a few letters a picture.
func (s *stage) write(text string) func() error {
	return func() error {
		const letters = 6
		for end := letters; end < len(text)+letters; end += letters {
			if err := s.window.Type("post-content", text[:min(end, len(text))]); err != nil {
				return err
			}
			if err := s.shoot(8)(); err != nil {
				return err
			}
		}
		return nil
	}
}

// click moves the pointer to a button and clicks it.
func (s *stage) click(testID string) func() error {
	return func() error {
		const steps = 4
		for range steps {
			if err := s.window.Await(fmt.Sprintf(`(() => {
				const pointer = document.getElementById('pointer')
				const { left, top, width, height } = document.querySelector('[data-testid="%s"]').getBoundingClientRect()
				const from = pointer.getBoundingClientRect()
				pointer.steps = (pointer.steps || %d)
				pointer.style.left = from.left + (left + width / 2 - from.left) / pointer.steps + 'px'
				pointer.style.top = from.top + (top + height / 2 - from.top) / pointer.steps + 'px'
				pointer.steps--
				return true
			})()`, testID, steps)); err != nil {
				return err
			}
			if err := s.shoot(6)(); err != nil {
				return err
			}
		}
		return s.window.Click(testID)
	}
}
