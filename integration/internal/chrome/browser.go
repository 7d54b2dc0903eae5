// Package chrome opens pages in a headless Chromium.
package chrome

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/chromedp/chromedp"
)

// PathVariable is the environment variable with the path of Chromium or Chrome.
const PathVariable = "FEEDMILL_CHROMIUM"

// Path returns the path of Chromium: that of PathVariable, or the first of its usual names on PATH.
func Path() (string, error) {
	if path := os.Getenv(PathVariable); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("find the browser of %s: %w", PathVariable, err)
		}
		return path, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no Chromium or Chrome on PATH: run testbed/chromium, or set " + PathVariable)
}

// Browser is a running headless Chromium with its own empty profile.
type Browser struct {
	ctx     context.Context //nolint:containedctx // chromedp keeps the browser in a context
	windows []context.CancelFunc
	cancel  context.CancelFunc
}

// Start starts the browser. The end of ctx kills it; Close ends it in order.
func Start(ctx context.Context) (*Browser, error) {
	path, err := Path()
	if err != nil {
		return nil, err
	}
	// Chromedp creates the profile, and removes it after the last process that writes to it.
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoFirstRun, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), // containers have little of it
		// Chromium must not throttle windows that are behind others.
		chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true),
	}
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, cancelAllocator := chromedp.NewExecAllocator(ctx, options...)
	browser, cancelBrowser := chromedp.NewContext(allocator)
	b := &Browser{ctx: browser, cancel: func() { cancelBrowser(); cancelAllocator() }}
	if err := chromedp.Do(browser); err != nil {
		b.cancel()
		return nil, fmt.Errorf("start browser %s: %w", path, err)
	}
	return b, nil
}

// Close closes the windows and the browser, and waits for its processes.
func (b *Browser) Close() error {
	for _, closeWindow := range b.windows {
		closeWindow()
	}
	err := chromedp.Cancel(b.ctx)
	b.cancel()
	if err != nil {
		return fmt.Errorf("close browser: %w", err)
	}
	return nil
}
