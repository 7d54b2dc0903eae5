// Screenshot takes the picture of the README: two windows of the microblog that follow the same posts.
//
//	make web && cd integration && go run ./browser/screenshot -o ../docs/images/microblog.png
package main

import (
	"github.com/feedmill/feedmill/integration/browser/internal/picture"
	"github.com/feedmill/feedmill/integration/internal/chrome"
)

func main() { picture.Main("screenshot", "microblog.png", seeds(), take) }

// take creates a post in one window and shows it beside another that follows its feed.
func take(browser *chrome.Browser, url string) ([]byte, error) {
	writer, err := browser.Open(url, writerWidth, windowHeight)
	if err != nil {
		return nil, err
	}
	reader, err := browser.Open(url+"/feeds/"+shownFeed, readerWidth, windowHeight)
	if err != nil {
		return nil, err
	}
	if err := submit(writer, reader); err != nil {
		return nil, err
	}
	left, err := writer.Screenshot()
	if err != nil {
		return nil, err
	}
	right, err := reader.Screenshot()
	if err != nil {
		return nil, err
	}
	return frame(browser, left, right)
}

// submit creates a post by the form and waits until both windows show it and nothing moves.
func submit(writer, reader *chrome.Window) error {
	draft := written()
	for _, step := range []func() error{
		func() error { return writer.Type("post-author", draft.Author) },
		func() error { return writer.Click("post-add-title") },
		func() error { return writer.Type("post-title", draft.Title) },
		func() error { return writer.Type("post-content", draft.Content) },
		func() error { return writer.Click("post-submit") },
		func() error { return writer.Await(`document.querySelector('[data-testid="posted"]') !== null`) },
		func() error { return writer.Await("(document.activeElement?.blur(), " + settled + ")") },
		func() error { return reader.Await(settled) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// settled is true when the page shows the created post, the stream is open and nothing moves.
const settled = `document.body.innerText.includes('One room per key') &&
	document.querySelector('[data-testid="connection"]').dataset.status === 'live' &&
	document.getAnimations().length === 0`
