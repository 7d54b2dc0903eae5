package chrome

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"
)

// HoldRequests makes the requests of the page to matching addresses wait until release is called. "*" in a pattern matches any text.
func (w *Window) HoldRequests(patterns ...string) (release func() error, err error) {
	var held fetch.EnableParams
	for _, pattern := range patterns {
		held.Patterns = append(held.Patterns, &fetch.RequestPattern{URLPattern: pattern})
	}
	err = w.do("hold requests", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, fetch.Enable, held)
		return err
	}))
	return func() error {
		return w.do("release requests", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, fetch.Disable, cdp.Empty{})
			return err
		}))
	}, err
}
