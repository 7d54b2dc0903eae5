package engines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is a program of a browser, in a process group of its own and with an empty home.
type process struct {
	cmd  *exec.Cmd
	home string
	port string
	said bytes.Buffer
}

// start starts a program that listens on a free port, which it is told by args.
func start(environment []string, path string, args func(home, port string) []string) (*process, error) {
	home, err := os.MkdirTemp("", "feedmill-browser-")
	if err != nil {
		return nil, fmt.Errorf("make a profile: %w", err)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(path, args(home, port)...), home: home, port: port} //nolint:noctx,gosec // stop ends it, with its children
	p.cmd.Env = append(append(os.Environ(), "HOME="+home), environment...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 10 * time.Second
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", path, err), os.RemoveAll(home))
	}
	return p, nil
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, errors.Join(err, listener.Close())
}

// ready tries a connection until it succeeds.
func (p *process) ready(ctx context.Context, connect func(context.Context) error) error {
	for {
		err := connect(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			stopped := p.stop()
			return errors.Join(fmt.Errorf("wait for %s: %w; it said %s", p.cmd.Path, err, p.said.String()), stopped)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends the program with its children, and removes its home.
func (p *process) stop() error {
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("end %s: %w", p.cmd.Path, err)
	}
	_ = p.cmd.Wait() // It was killed.
	if err := os.RemoveAll(p.home); err != nil {
		return fmt.Errorf("remove the profile: %w", err)
	}
	return nil
}
