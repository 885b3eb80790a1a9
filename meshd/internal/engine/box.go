package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"gstacks/meshd/internal/dns"
	"gstacks/meshd/internal/sandbox"
	"gstacks/meshd/internal/socket"
)

// Handle is an open sandbox; *sandbox.Sandbox is one.
type Handle interface {
	Update(add, remove []netip.AddrPort) error
	SetZone(*dns.Zone)
	Dial(ctx context.Context, port uint16, within time.Duration) (*socket.Conn, error)
	Enter(ctx context.Context, to netip.AddrPort, within time.Duration) error
	Resolve(ctx context.Context, name string, within time.Duration) (netip.Addr, error)
	Ports() (listener, dns uint16)
	Refused() ([]sandbox.Refused, error)
	Gone() <-chan struct{}
	Close() error
}

// Opener opens a sandbox; streams from inside go to the handler it was made with.
type Opener func(ref sandbox.Ref, permitted []netip.AddrPort, zone *dns.Zone) (Handle, error)

const (
	boxReady  = "ready"
	boxFailed = "failed"
	boxGone   = "gone"
)

// box is one sandbox of the plan. Its fields are written under Engine.applying and
// state.mu both, and read under either.
type box struct {
	spec   Sandbox
	handle Handle // nil unless ready
	state  string
	err    error
}

// SandboxStatus is a sandbox as the API shows it.
type SandboxStatus struct {
	ID           string `json:"id"`
	State        string `json:"state"`
	ListenerPort uint16 `json:"listenerPort"`
	DNSPort      uint16 `json:"dnsPort"`
	Permitted    int    `json:"permitted"`
	Error        string `json:"error,omitempty"`
}

// Dial connects to a port inside a sandbox of this host.
func (e *Engine) Dial(ctx context.Context, sandbox string, port uint16, within time.Duration) (*socket.Conn, error) {
	h, err := e.Sandbox(sandbox)
	if err != nil {
		return nil, err
	}
	return h.Dial(ctx, port, within)
}

// Reach connects to what an inbound permit leads to.
func (e *Engine) Reach(ctx context.Context, i *Inbound, within time.Duration) (*socket.Conn, error) {
	if i.Loopback != 0 {
		return socket.Loopback(ctx, socket.Here(unix.AF_INET), socket.Here(unix.AF_INET6), i.Loopback, within)
	}
	return e.Dial(ctx, i.Sandbox, i.Port, within)
}

// Sandbox is one of this host, if it is ready.
func (e *Engine) Sandbox(sandbox string) (Handle, error) {
	e.state.mu.RLock()
	defer e.state.mu.RUnlock()
	b := e.state.sandboxes[sandbox]
	switch {
	case b == nil:
		return nil, ErrUnknownSandbox
	case b.handle == nil:
		return nil, fmt.Errorf("sandbox %s is %s", sandbox, b.state)
	}
	return b.handle, nil
}

// Sandboxes lists every sandbox of the plan.
func (e *Engine) Sandboxes() []SandboxStatus {
	e.state.mu.RLock()
	defer e.state.mu.RUnlock()
	out := make([]SandboxStatus, 0, len(e.state.sandboxes))
	for _, b := range e.state.sandboxes {
		out = append(out, e.describe(b))
	}
	return out
}

func (e *Engine) describe(b *box) SandboxStatus {
	s := SandboxStatus{ID: b.spec.ID, State: b.state, Permitted: len(e.state.routes[b.spec.ID])}
	if b.handle != nil {
		s.ListenerPort, s.DNSPort = b.handle.Ports()
	}
	if b.err != nil {
		s.Error = b.err.Error()
	}
	return s
}

// set moves a box to what came of opening or closing it, and tells when its state
// changed. Engine.applying is held.
func (e *Engine) set(b *box, h Handle, state string, err error) {
	e.state.mu.Lock()
	changed := b.state != state
	b.handle, b.state, b.err = h, state, err
	status := e.describe(b)
	e.state.mu.Unlock()
	if changed {
		e.notify(status)
	}
}

// open opens a box that is not open, with all that it is permitted now.
func (e *Engine) open(b *box) {
	s := e.state
	h, err := e.opener(sandbox.Ref{ID: b.spec.ID, PID: b.spec.PID, StartTime: b.spec.StartTime},
		s.permitted(b.spec.ID), s.zones[b.spec.Zone].parsed)
	switch {
	case errors.Is(err, sandbox.ErrGone):
		e.set(b, nil, boxGone, err)
		return
	case err != nil:
		e.set(b, nil, boxFailed, err)
		return
	}
	e.set(b, h, boxReady, nil)
	go e.watch(b, h)
}

// watch waits for the end of the sandbox's process.
func (e *Engine) watch(b *box, h Handle) {
	<-h.Gone()
	e.applying.Lock()
	defer e.applying.Unlock()
	if b.handle != h {
		return // closed or replaced meanwhile
	}
	h.Close()
	e.set(b, nil, boxGone, nil)
}

// shut closes a box's handle, if it has one.
func (e *Engine) shut(b *box) {
	if h := b.handle; h != nil {
		h.Close()
		e.state.mu.Lock()
		b.handle = nil
		e.state.mu.Unlock()
	}
}
