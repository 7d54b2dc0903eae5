// Package engines opens pages in headless browsers of other engines than Chromium's: Firefox and WebKit. It can do what all
// of them have in common, which is to open tabs and to evaluate expressions.
package engines

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"time"
)

// Browser is a running browser with an empty profile of its own.
type Browser interface {
	// Open opens a tab. Tabs share cookies, storage and connections.
	Open(ctx context.Context, url string) (Tab, error)
	// Close ends the browser and waits for its process.
	Close() error
}

// Tab is a page of a browser.
type Tab interface {
	// SetOffline has the browser tell the page that the network has gone, or that it is there again. It reports false if it cannot do so.
	SetOffline(ctx context.Context, offline bool) (can bool, err error)

	// evaluate returns the JSON of a JavaScript expression, which may be a promise.
	evaluate(ctx context.Context, expression string) (string, error)
}

// Value evaluates a JavaScript expression in a tab.
func Value[T any](ctx context.Context, tab Tab, expression string) (value T, err error) {
	encoded, err := tab.evaluate(ctx, expression)
	if err != nil {
		return value, fmt.Errorf("evaluate %s: %w", expression, err)
	}
	if err := json.Unmarshal([]byte(encoded), &value); err != nil {
		return value, fmt.Errorf("decode the value of %s: %w", expression, err)
	}
	return value, nil
}

// Await waits until an expression is true.
func Await(ctx context.Context, tab Tab, expression string) error {
	for {
		holds, err := Value[bool](ctx, tab, "Boolean("+expression+")")
		if err == nil && holds {
			return nil
		}
		select {
		case <-ctx.Done():
			shown, _ := Value[string](context.WithoutCancel(ctx), tab, "location.href + document.body.innerText") // only to explain
			return fmt.Errorf("wait for %s: %w (%w); the tab shows %s", expression, ctx.Err(), err, shown)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// find returns the path of the first of the programs that is installed.
func find(names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("find %v: none is installed: run testbed/engines", names)
}
