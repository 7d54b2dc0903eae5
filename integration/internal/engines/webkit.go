package engines

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
)

// WebKit starts the MiniBrowser of WebKitGTK on a screen of its own. It is driven by WebDriver
// (https://www.w3.org/TR/webdriver2/).
func WebKit(ctx context.Context) (Browser, error) {
	driver, err := find("WebKitWebDriver")
	if err != nil {
		return nil, err
	}
	screen, err := find("xvfb-run")
	if err != nil {
		return nil, err
	}
	installed, err := filepath.Glob("/usr/lib*/*/webkit2gtk-4*/MiniBrowser")
	if err != nil || len(installed) == 0 {
		return nil, errors.New("find the MiniBrowser of WebKitGTK: it is not installed: run testbed/engines")
	}
	process, err := start([]string{"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS=1"}, screen, func(_, port string) []string {
		return []string{"-a", driver, "--port=" + port}
	})
	if err != nil {
		return nil, err
	}
	w := &webkit{process: process, url: "http://127.0.0.1:" + process.port + "/session"}
	browser := map[string]any{"binary": installed[0], "args": []string{"--automation"}}
	capabilities := map[string]any{"alwaysMatch": map[string]any{"webkitgtk:browserOptions": browser}}
	var session struct {
		ID string `json:"sessionId"`
	}
	err = process.ready(ctx, func(ctx context.Context) error {
		return w.call(ctx, "", map[string]any{"capabilities": capabilities}, &session)
	})
	if err != nil {
		return nil, err
	}
	w.url += "/" + session.ID
	return w, nil
}

type webkit struct {
	process *process
	url     string
	mu      sync.Mutex // the window that commands are for
}

// call sends a command and decodes its result, unless that is nil.
func (w *webkit) call(ctx context.Context, command string, params, result any) error {
	body, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("encode the command %s: %w", command, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+command, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request for %s: %w", command, err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // It was read.
	var answer struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("decode the answer to %s: %w", command, err)
	}
	switch {
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s: %s", command, response.Status, answer.Value)
	case result == nil:
		return nil
	default:
		return json.Unmarshal(answer.Value, result)
	}
}

// Open implements [Browser]. It opens a window, because a tab in the background draws no frames.
func (w *webkit) Open(ctx context.Context, url string) (Tab, error) {
	tab := &webkitTab{webkit: w}
	if err := w.call(ctx, "/window/new", map[string]any{"type": "window"}, tab); err != nil {
		return nil, err
	}
	return tab, w.in(ctx, tab, "/url", map[string]any{"url": url}, nil)
}

// in sends a command for a tab.
func (w *webkit) in(ctx context.Context, tab *webkitTab, command string, params, result any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call(ctx, "/window", map[string]any{"handle": tab.Handle}, nil); err != nil {
		return err
	}
	return w.call(ctx, command, params, result)
}

// Close implements [Browser].
func (w *webkit) Close() error { return w.process.stop() }

type webkitTab struct {
	webkit *webkit
	Handle string `json:"handle"`
}

// SetOffline implements [Tab].
func (t *webkitTab) SetOffline(context.Context, bool) (can bool, err error) { return false, nil }

func (t *webkitTab) evaluate(ctx context.Context, expression string) (value string, err error) {
	script := "const done = arguments[0]; Promise.resolve(" + expression +
		").then((value) => done(JSON.stringify(value) ?? 'null'), (error) => done(JSON.stringify({ error: String(error) })))"
	err = t.webkit.in(ctx, t, "/execute/async", map[string]any{"script": script, "args": []any{}}, &value)
	return value, err
}
