package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// program is the example, built to serve on a port of the test's own.
type program struct{ binary, addr, dir string }

func build(t *testing.T) program {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := program{addr: listener.Addr().String(), dir: t.TempDir()}
	require.NoError(t, listener.Close())
	p.binary = filepath.Join(p.dir, "program")
	source, err := os.ReadFile("main.go")
	require.NoError(t, err)
	changed := filepath.Join(p.dir, "main.go")
	require.NoError(t, os.WriteFile(changed, []byte(strings.Replace(string(source), `"localhost:8080"`, `"`+p.addr+`"`, 1)), 0o600))
	original, err := filepath.Abs("main.go")
	require.NoError(t, err)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	require.NoError(t, err)
	overlayFile := filepath.Join(p.dir, "overlay.json")
	require.NoError(t, os.WriteFile(overlayFile, overlay, 0o600))
	output, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlayFile, "-o", p.binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", output)
	return p
}

// start starts the program and waits until it serves.
func (p program) start(t *testing.T) (stop func()) {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), p.binary)
	command.Dir, command.Stderr = p.dir, os.Stderr
	require.NoError(t, command.Start())
	require.Eventually(t, func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.addr)
		return err == nil && conn.Close() == nil
	}, time.Minute, 5*time.Millisecond)
	return func() {
		require.NoError(t, command.Process.Signal(syscall.SIGTERM))
		require.NoError(t, command.Wait())
	}
}

func TestAPageFollowsItsTag(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := build(t)
	stop := p.start(t)
	site := "http://" + p.addr

	response, err := http.Get(site + "/")
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Contains(t, string(body), "EventSource")

	stream, err := ssestreamtest.Connect(ctx, nil, site+"/feeds/go")
	require.NoError(t, err)
	event, err := stream.Next(ctx)
	require.NoError(t, err)
	require.Contains(t, event.Data, `"items":[]`)
	for tag, status := range map[string]int{"": http.StatusBadRequest, "go": http.StatusCreated} {
		response, err := http.PostForm(site+"/notes", url.Values{"text": {"hello"}, "tag": {tag}})
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, status, response.StatusCode)
	}
	event, err = stream.Next(ctx)
	require.NoError(t, err)
	require.Contains(t, event.Data, "hello")
	stop()
	_, err = stream.Next(ctx)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, stream.Close())

	stop = p.start(t)
	stream, err = ssestreamtest.Connect(ctx, nil, site+"/feeds/go")
	require.NoError(t, err)
	event, err = stream.Next(ctx)
	require.NoError(t, err)
	require.Contains(t, event.Data, "hello", "it is kept")
	require.NoError(t, stream.Close())
	stop()
}

// TestTheREADMEShowsThisProgram as it is.
func TestTheREADMEShowsThisProgram(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	require.NoError(t, err)
	page, err := os.ReadFile("page.html")
	require.NoError(t, err)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, program, _ := strings.Cut(string(source), "package main")
	require.Contains(t, string(readme), "```go\npackage main"+program+"```")
	require.Contains(t, string(readme), "```html\n"+string(page)+"```")
}
