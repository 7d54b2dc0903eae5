package chrome

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

const (
	// timeout limits every wait of a window.
	timeout = 30 * time.Second
	// pollInterval is the time between two checks of a page.
	pollInterval = 20 * time.Millisecond
)

// Window is a page with its own profile: it shares no cookies, storage or connections with other windows.
type Window struct {
	ctx context.Context //nolint:containedctx // chromedp keeps the window in a context
}

// Open opens a window of the given size at a URL.
func (b *Browser) Open(url string, width, height int64) (*Window, error) {
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	b.windows = append(b.windows, cancel)
	w := &Window{ctx: ctx}
	// The context of the first action lives as long as the window, so it must not have a deadline.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height)); err != nil {
		return nil, fmt.Errorf("open window at %s: %w", url, err)
	}
	return w, w.do("open "+url, chromedp.Navigate(url))
}

// Click clicks the element with a test id, once it is visible.
func (w *Window) Click(testID string) error {
	return w.do("click "+testID, chromedp.Click(byTestID(testID)))
}

// Type replaces the text of a field, key by key.
func (w *Window) Type(testID, text string) error {
	field := byTestID(testID)
	selected, err := json.Marshal(string(field))
	if err != nil {
		return fmt.Errorf("type into %s: %w", testID, err)
	}
	if err := w.do("find "+testID, chromedp.WaitVisible(field)); err != nil {
		return err
	}
	if _, err := Value[bool](w, "document.querySelector("+string(selected)+").select(), true"); err != nil {
		return err
	}
	return w.do("type into "+testID, chromedp.SendKeys(field, text))
}

// Await waits until a JavaScript expression is true. It evaluates in the page, because the page's
// Content-Security-Policy forbids chromedp.Poll.
func (w *Window) Await(expression string) error {
	deadline := time.After(timeout)
	for {
		holds, err := Value[bool](w, expression)
		if err == nil && holds {
			return nil
		}
		select {
		case <-w.ctx.Done():
			return fmt.Errorf("wait for %s: %w", expression, w.ctx.Err())
		case <-deadline:
			return w.awaitError(expression, err)
		case <-time.After(pollInterval):
		}
	}
}

// awaitError returns an error with the text of the page.
func (w *Window) awaitError(expression string, cause error) error {
	shown, err := Value[string](w, "location.href + '\\n' + document.body.innerText")
	if err != nil {
		shown = "a page that cannot be read: " + err.Error()
	}
	failure := fmt.Errorf("not true within %s: %s\nthe window shows: %s", timeout, expression, strings.TrimSpace(shown))
	if cause != nil {
		return fmt.Errorf("%w\n%w", cause, failure)
	}
	return failure
}

// IgnorePolicy disables the Content-Security-Policy of pages that the window opens from now on.
func (w *Window) IgnorePolicy() error {
	return w.do("ignore the policy", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true})
		return err
	}))
}

// Navigate loads a URL in the window, as the address bar does.
func (w *Window) Navigate(url string) error { return w.do("open "+url, chromedp.Navigate(url)) }

// Screenshot returns a PNG of what the window shows.
func (w *Window) Screenshot() ([]byte, error) {
	ctx, cancel := context.WithTimeout(w.ctx, timeout)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return nil, fmt.Errorf("take a screenshot: %w", err)
	}
	return picture, nil
}

func (w *Window) do(what string, steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(w.ctx, timeout)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Value evaluates a JavaScript expression in the window's page.
func Value[T any](w *Window, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(w.ctx, timeout)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		return value, fmt.Errorf("evaluate %s: %w", expression, err)
	}
	return value, nil
}

func byTestID(id string) chromedp.CSS { return chromedp.CSS(`[data-testid="` + id + `"]`) }
