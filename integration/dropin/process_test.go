package dropin_test

import (
	"bufio"
	"context"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is a running app.
type process struct {
	url     string
	command *exec.Cmd
	ended   chan error
}

// start runs the app on a free port until the test ends.
func start(t *testing.T, binary string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	p := &process{command: exec.CommandContext(ctx, binary, "-addr", "127.0.0.1:0"), ended: make(chan error, 1)}
	p.command.Stderr = t.Output()
	output, err := p.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.command.Start())
	lines := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(output).ReadString('\n')
		lines <- strings.TrimSpace(line)
		p.ended <- p.command.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		cancel()
		for range p.ended { // its end may have been awaited before
		}
	})
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case p.url = <-lines:
	case <-timer.C:
	}
	require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, p.url, "it did not start")
	return p
}

// stop asks the app to end and returns how it did.
func (p *process) stop(t *testing.T) error {
	t.Helper()
	require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-p.ended:
		return err
	case <-timer.C:
		require.Fail(t, "the app did not end")
		return nil
	}
}
