package engines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// Firefox starts Firefox. It is driven by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/).
func Firefox(ctx context.Context) (Browser, error) {
	path, err := find("firefox-esr", "firefox")
	if err != nil {
		return nil, err
	}
	process, err := start([]string{"MOZ_HEADLESS=1"}, path, func(home, port string) []string {
		return []string{"--profile", home, "--no-remote", "--remote-debugging-port", port, "about:blank"}
	})
	if err != nil {
		return nil, err
	}
	f := &firefox{process: process}
	err = process.ready(ctx, func(ctx context.Context) (err error) {
		//nolint:bodyclose // that of a WebSocket is not there
		f.conn, _, err = websocket.Dial(ctx, "ws://127.0.0.1:"+process.port+"/session", nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.conn.SetReadLimit(-1)
	if err := f.call(ctx, "session.new", map[string]any{"capabilities": map[string]any{}}, nil); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

type firefox struct {
	process *process
	mu      sync.Mutex // one command at a time
	conn    *websocket.Conn
	id      int
}

// call sends a command and decodes its result, unless that is nil.
func (f *firefox) call(ctx context.Context, method string, params, result any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.id++
	if err := wsjson.Write(ctx, f.conn, map[string]any{"id": f.id, "method": method, "params": params}); err != nil {
		return fmt.Errorf("send %s: %w", method, err)
	}
	for {
		var answer struct {
			ID      int             `json:"id"`
			Error   string          `json:"error"`
			Message string          `json:"message"`
			Result  json.RawMessage `json:"result"`
		}
		if err := wsjson.Read(ctx, f.conn, &answer); err != nil {
			return fmt.Errorf("read the answer to %s: %w", method, err)
		}
		switch {
		case answer.ID != f.id: // an event
		case answer.Error != "":
			return fmt.Errorf("%s: %s: %s", method, answer.Error, answer.Message)
		case result == nil:
			return nil
		default:
			return json.Unmarshal(answer.Result, result)
		}
	}
}

// Open implements [Browser].
func (f *firefox) Open(ctx context.Context, url string) (Tab, error) {
	tab := &firefoxTab{firefox: f}
	if err := f.call(ctx, "browsingContext.create", map[string]any{"type": "tab"}, tab); err != nil {
		return nil, err
	}
	navigate := map[string]any{"context": tab.Context, "url": url, "wait": "interactive"}
	return tab, f.call(ctx, "browsingContext.navigate", navigate, nil)
}

// Close implements [Browser].
func (f *firefox) Close() error {
	_ = f.conn.CloseNow() // The browser ends anyway.
	return f.process.stop()
}

type firefoxTab struct {
	firefox *firefox
	Context string `json:"context"`
}

// SetOffline implements [Tab].
func (t *firefoxTab) SetOffline(ctx context.Context, offline bool) (can bool, err error) {
	var network map[string]any
	if offline {
		network = map[string]any{"type": "offline"}
	}
	params := map[string]any{"contexts": []string{t.Context}, "networkConditions": network}
	return true, t.firefox.call(ctx, "emulation.setNetworkConditions", params, nil)
}

func (t *firefoxTab) evaluate(ctx context.Context, expression string) (string, error) {
	var result struct {
		Result struct {
			Value string `json:"value"`
		} `json:"result"`
		Exception struct {
			Text string `json:"text"`
		} `json:"exceptionDetails"`
	}
	err := t.firefox.call(ctx, "script.evaluate", map[string]any{
		"expression":   "Promise.resolve(" + expression + ").then((value) => JSON.stringify(value) ?? 'null')",
		"target":       map[string]any{"context": t.Context},
		"awaitPromise": true,
	}, &result)
	if err == nil && result.Exception.Text != "" {
		err = errors.New(result.Exception.Text)
	}
	return result.Result.Value, err
}
