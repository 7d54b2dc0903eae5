package chrome

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
)

const (
	// timeout limits every wait of a window. A demonstration of the microblog gives up after a minute and more.
	timeout = 2 * time.Minute
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
	return w, w.Navigate(url)
}

// OpenTab opens another page with the profile of the window. It ends with the window, or by a call of close.
func (w *Window) OpenTab(url string) (tab *Window, closeTab func() error, err error) {
	ctx, cancel := chromedp.NewContext(w.ctx)
	closeTab = func() error {
		defer cancel()
		if err := chromedp.Cancel(ctx); err != nil {
			return fmt.Errorf("close tab: %w", err)
		}
		return nil
	}
	tab = &Window{ctx: ctx}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(640, 480)); err != nil {
		return nil, closeTab, fmt.Errorf("open tab at %s: %w", url, err)
	}
	return tab, closeTab, tab.Navigate(url)
}

// Crash ends the page's process, as a fault of the browser does.
func (w *Window) Crash() error {
	ctx, cancel := context.WithTimeout(w.ctx, timeout)
	defer cancel()
	go func() { _, _ = chromedp.Call(ctx, page.Crash, cdp.Empty{}) }() // There is no answer.
	for _, err := range chromedp.Events(ctx, inspector.TargetCrashed) {
		return err
	}
	return fmt.Errorf("crash window: %w", ctx.Err())
}

// Click clicks the element with a test id, once it is visible.
func (w *Window) Click(testID string) error {
	selected, err := json.Marshal(string(byTestID(testID)))
	if err != nil {
		return fmt.Errorf("click %s: %w", testID, err)
	}
	// A click goes to a place, which is another element's if the page is laid out anew meanwhile. So the element must rest, and
	// it notes the click. A page that the click led to knows of no click that missed.
	rests := `(() => {
		const element = document.querySelector(` + string(selected) + `)
		const box = JSON.stringify(element?.getBoundingClientRect())
		const before = window.boxToClick
		window.boxToClick = box
		if (box === undefined || box !== before) return false
		window.clickMissed = true
		element.addEventListener('click', () => { window.clickMissed = false }, { capture: true, once: true })
		return true
	})()`
	for began := time.Now(); ; {
		if err := w.Await(rests); err != nil {
			return fmt.Errorf("wait until %s rests: %w", testID, err)
		}
		if err := w.do("click "+testID, chromedp.Click(byTestID(testID))); err != nil {
			return err
		}
		missed, err := Value[bool](w, "window.clickMissed === true")
		if err != nil || !missed { // there is no value while the click leads to another page
			return nil //nolint:nilerr // likewise
		}
		if time.Since(began) > timeout {
			return fmt.Errorf("click %s: it never took the click, although it rested", testID)
		}
	}
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

// PressControl presses a key in the element that has the focus, by its character ("\r" is Enter), with the Control key.
func (w *Window) PressControl(key string) error {
	return w.do("press control and a key", chromedp.KeyEvent(key, chromedp.KeyModifiers(chromedp.ModifierCtrl)))
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

// IgnoreCertificates accepts the certificates of servers from now on, whoever has signed them.
func (w *Window) IgnoreCertificates() error {
	return w.do("ignore certificates", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
		return err
	}))
}

// PreferDark makes pages see a system with a dark or a light colour scheme from now on.
func (w *Window) PreferDark(dark bool) error {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	return w.do("prefer the "+scheme+" scheme", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}

// Navigate loads a URL in the window, as the address bar does. It tries again where the network of a container came or went
// meanwhile, for which Chromium fails whatever it loads.
func (w *Window) Navigate(url string) error {
	for {
		err := w.do("open "+url, chromedp.Navigate(url))
		if err == nil || !strings.Contains(err.Error(), "net::ERR_NETWORK_CHANGED") {
			return err
		}
	}
}

// Leave loads a URL and confirms that the page may close, should it ask.
func (w *Window) Leave(url string) error {
	ctx, cancel := context.WithCancel(w.ctx)
	confirmed := make(chan struct{})
	go func() {
		defer close(confirmed)
		for _, err := range chromedp.Events(ctx, page.JavascriptDialogOpening) {
			if err != nil {
				return
			}
			// The page that asked may be gone.
			_, _ = chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}
	}()
	err := w.Navigate(url)
	cancel()
	<-confirmed
	return err
}

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
