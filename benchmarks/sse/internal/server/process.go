//go:build linux

package server

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"time"
)

// Process is a server in its own process. Only one goroutine may call its methods.
type Process struct {
	address  netip.AddrPort
	command  *exec.Cmd
	input    io.Closer
	commands *gob.Encoder
	replies  *gob.Decoder
}

// patience limits how long a server may take to end.
const patience = 10 * time.Second

// Start starts a server and waits until it listens. The end of ctx kills the server.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start %s: find this program: %w", spec.Contestant, err)
	}
	p := &Process{command: exec.CommandContext(ctx, program)} //nolint:gosec // G204: it is this program
	p.command.Env = append(os.Environ(), variable+"=1")
	p.command.Stderr = os.Stderr
	p.command.WaitDelay = patience
	input, err := p.command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Contestant, err)
	}
	output, err := p.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Contestant, errors.Join(err, input.Close()))
	}
	p.input, p.commands, p.replies = input, gob.NewEncoder(input), gob.NewDecoder(output)
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Contestant, err)
	}
	hello, err := p.exchange(spec)
	if err == nil {
		p.address, err = netip.ParseAddrPort(hello.Address)
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Contestant, errors.Join(err, p.Close()))
	}

	return p, nil
}

// Address returns the address that the server listens on.
func (p *Process) Address() netip.AddrPort { return p.address }

// Publish changes the feed's state and starts to announce it.
func (p *Process) Publish() (Published, error) {
	r, err := p.exchange(command{Do: publish})
	if err != nil {
		return Published{}, fmt.Errorf("publish: %w", err)
	}

	return r.Published, nil
}

// Usage returns the server's usage so far.
func (p *Process) Usage() (Usage, error) { return p.usage(usage) }

// Settled returns the usage after the server has collected its garbage and returned free memory.
func (p *Process) Settled() (Usage, error) { return p.usage(settled) }

// Owners returns how many bytes of the heap each package holds, after the server has collected its garbage. The server's Spec
// must have Profile.
func (p *Process) Owners() (map[string]int64, error) {
	r, err := p.exchange(command{Do: holders})
	if err != nil {
		return nil, fmt.Errorf("read holders of memory: %w", err)
	}

	return r.Owners, nil
}

func (p *Process) usage(which string) (Usage, error) {
	r, err := p.exchange(command{Do: which})
	if err != nil {
		return Usage{}, fmt.Errorf("read usage of server: %w", err)
	}

	return r.Usage, nil
}

func (p *Process) exchange(message any) (reply, error) {
	if err := p.commands.Encode(message); err != nil {
		return reply{}, fmt.Errorf("send command: %w", err)
	}
	var r reply
	if err := p.replies.Decode(&r); err != nil {
		return reply{}, fmt.Errorf("read reply: %w", err)
	}
	if r.Error != "" {
		return reply{}, fmt.Errorf("server: %s", r.Error)
	}

	return r, nil
}

// Close ends the server and waits for it. It kills a server that does not end in time.
func (p *Process) Close() error {
	timer := time.AfterFunc(patience, func() { _ = p.command.Process.Kill() })
	defer timer.Stop()
	_ = p.input.Close() // It is already closed if the server has died, which Wait reports.
	if err := p.command.Wait(); err != nil {
		return fmt.Errorf("end server: %w", err)
	}

	return nil
}
