package faults_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/integration/internal/servers"
)

// microblog is the command in a process of its own. It has the same address after a restart.
type microblog struct {
	url  string
	args []string
	log  string

	mu      sync.Mutex
	ended   chan struct{} // closed when the process has ended
	command *exec.Cmd
}

// startMicroblog starts the command. It is stopped when the test ends, and the test fails if it has ended by itself.
func startMicroblog(t *testing.T, args ...string) *microblog {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", servers.FreePort(t))
	m := &microblog{
		url:  "http://" + address,
		args: append([]string{"-addr", address, "-log-level", "warn", "-write-rate", "0"}, args...),
		log:  filepath.Join(t.TempDir(), "microblog.log"),
	}
	m.start(t)
	t.Cleanup(func() { m.end(t) })
	return m
}

func (m *microblog) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(m.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.command, m.ended = exec.Command(binary(t), m.args...), make(chan struct{})
	m.command.Stderr = log
	require.NoError(t, m.command.Start())
	go func(command *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		_ = command.Wait() // it may have been killed
	}(m.command, m.ended)
}

// kill sends SIGKILL.
func (m *microblog) kill(t *testing.T) {
	t.Helper()
	require.True(t, m.runs(), "it has ended by itself: %s", m.said(t))
	require.NoError(t, m.command.Process.Kill())
	<-m.ended
}

func (m *microblog) runs() bool {
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

// end stops the process and logs the end of its log if the test has failed.
func (m *microblog) end(t *testing.T) {
	t.Helper()
	m.stop(t)
	assert.NotContains(t, m.said(t), "DATA RACE")
	if t.Failed() {
		t.Logf("the end of the microblog's log:\n%s", m.said(t))
	}
}

// stop stops the process in an orderly way.
func (m *microblog) stop(t *testing.T) {
	t.Helper()
	assert.True(t, m.runs(), "the microblog has ended by itself")
	_ = m.command.Process.Signal(syscall.SIGTERM) // fails if it has ended
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-m.ended:
	case <-timer.C:
		assert.Fail(t, "the microblog does not stop")
		_ = m.command.Process.Signal(syscall.SIGABRT) // prints the stacks of all goroutines
		<-m.ended
	}
}

// said returns the end of the log.
func (m *microblog) said(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(m.log)
	require.NoError(t, err)
	const most = 8 << 10
	return string(text[max(0, len(text)-most):])
}

// awaitReady waits until the microblog reaches all its servers.
func (m *microblog) awaitReady(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		response, err := http.Get(m.url + "/readyz")
		return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}, patience, 50*time.Millisecond, "the microblog is not ready: %s", m.said(t))
}
