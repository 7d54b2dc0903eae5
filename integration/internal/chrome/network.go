package chrome

import (
	"context"
	"fmt"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// HoldRequests makes the requests of the page to matching addresses wait until release is called. "*" in a pattern matches any text.
func (w *Window) HoldRequests(pattern string) (release func() error, err error) {
	return func() error { return w.do("release requests", chromedp.Func(releaseAll)) }, w.do("hold requests", hold(pattern))
}

// ClickAndHold clicks the element with a test id and waits until the page has sent a request to a matching address, which the
// server does not get. drop ends that request.
func (w *Window) ClickAndHold(testID, pattern string) (drop func() error, err error) {
	ctx, cancel := context.WithTimeout(w.ctx, timeout)
	defer cancel()
	if err := w.do("hold requests", hold(pattern)); err != nil {
		return nil, err
	}
	held, err := chromedp.Run(ctx, chromedp.WaitEvent(fetch.RequestPaused, nil, chromedp.Click(byTestID(testID))))
	if err != nil {
		return nil, fmt.Errorf("wait for a request after a click on %s: %w", testID, err)
	}
	return func() error {
		return w.do("drop a request", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			// The request is unknown if the page has cancelled it.
			_, _ = chromedp.Call(ctx, fetch.FailRequest, fetch.FailRequestParams{
				RequestID: held.RequestID, ErrorReason: network.ErrorReasonAborted,
			})
			return releaseAll(ctx, target)
		}))
	}, nil
}

func hold(pattern string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: pattern}}})
		return err
	})
}

func releaseAll(ctx context.Context, _ *chromedp.Target) error {
	_, err := chromedp.Call(ctx, fetch.Disable, cdp.Empty{})
	return err
}
