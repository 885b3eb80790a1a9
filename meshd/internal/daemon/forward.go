package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"gstacks/meshd/internal/api"
	"gstacks/meshd/internal/engine"
	"gstacks/meshd/internal/forward"
	"gstacks/meshd/internal/relay"
	"gstacks/meshd/internal/wire"
)

// A connection to a forward waits this long for a permit, a path and an app, so that
// it lives through their restarts; it has said nothing by then that would be lost.
const (
	forwardWait = 5 * time.Second
	firstPause  = 100 * time.Millisecond
	lastPause   = 500 * time.Millisecond
)

var (
	errNotPermitted = errors.New("nothing permits this machine to reach that alias and port")
	errRevoked      = errors.New("the permit was withdrawn") // and the connection reset
)

// forward carries a connection that a program of this machine opened to a forward.
func (d *Daemon) forward(ctx context.Context, to func() forward.Forward, source *relay.Side, began func(*relay.Flow)) error {
	within, cancel := context.WithTimeout(ctx, forwardWait)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		f := to()
		flow, target, err := d.reach(within, f, source)
		if err == nil {
			began(flow)
			flow.Relay(source, target, nil)
			return nil
		}
		if errors.Is(err, errRevoked) {
			return err
		}
		select {
		case <-within.Done():
			d.tellUnreachable(f, err)
			return err
		case <-time.After(pause):
		}
	}
}

// reach opens a mesh stream to the forward's target and hears its verdict. The flow is
// opened only then, and only if the permit is still there.
func (d *Daemon) reach(ctx context.Context, f forward.Forward, source *relay.Side) (*relay.Flow, *relay.Side, error) {
	permit, version, ok := d.permitOf(f)
	if !ok {
		return nil, nil, errNotPermitted
	}
	trace := fmt.Sprintf("%s-f%d", d.instance, d.forwarded.Add(1))
	stream, n, err := d.dial(ctx, permit.Target.Address, wire.Preface{Network: permit.Network, Alias: permit.Alias, Port: permit.Port,
		Source: permit.Sandbox, Version: version, Trace: trace})
	if err != nil {
		return nil, nil, err
	}
	v, err := readVerdict(ctx, stream)
	if err == nil && !v.OK {
		err = &refusal{v}
	}
	if err != nil {
		stream.Close()
		return nil, nil, err
	}
	flow, err := d.openForward(f, trace)
	if err != nil {
		stream.Close()
		return nil, nil, err
	}
	target := relay.Mesh(stream, v.Framed, n.Chunked())
	if !flow.Attach(source, target) {
		return nil, nil, errRevoked
	}
	return flow, target, nil
}

func (d *Daemon) openForward(f forward.Forward, trace string) (flow *relay.Flow, err error) {
	ok := d.engine.WithOutbound(f.Source, f.To(), func(o *engine.Outbound, _ uint64) {
		info := outboundInfo(o)
		info.Stream = trace
		flow, err = d.flows.Open(info, nil)
	})
	if !ok {
		err = errNotPermitted
	}
	return flow, err
}

func (d *Daemon) permitOf(f forward.Forward) (permit engine.Outbound, version uint64, ok bool) {
	ok = d.engine.WithOutbound(f.Source, f.To(), func(o *engine.Outbound, v uint64) { permit, version = *o, v })
	return permit, version, ok && permit.Target.Kind == engine.ToNode
}

// tellUnreachable lets the connection be seen among the flows, when it was permitted.
func (d *Daemon) tellUnreachable(f forward.Forward, why error) {
	var flow *relay.Flow
	d.engine.WithOutbound(f.Source, f.To(), func(o *engine.Outbound, _ uint64) { flow, _ = d.flows.Open(outboundInfo(o), nil) })
	if flow != nil {
		flow.Fail(relay.Unreachable, why)
	}
}

func (d *Daemon) listen(f forward.Forward) (any, error) {
	if f.ID == "" || f.Source == "" || !f.Address.IsValid() || f.Port == 0 {
		return nil, badRequest("a forward needs id, listen, source, address and port")
	}
	if _, err := netip.ParseAddrPort(f.Listen); err != nil && !strings.HasPrefix(f.Listen, "unix:/") {
		return nil, badRequest(`listen must be an IP address and port, or "unix:" and an absolute path`)
	}
	status, err := d.forwards.Listen(f)
	if err != nil {
		return nil, &api.Error{Code: listenCode(err), Message: err.Error()}
	}
	d.log.Info("forwarding", "forward", f.ID, "listen", status.Bound)
	return status, nil
}

func listenCode(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "in_use"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "not_allowed"
	}
	return "failed"
}

type unlistenParams struct {
	ID string `json:"id"`
}

func (d *Daemon) unlisten(p unlistenParams) (any, error) {
	d.forwards.Close(p.ID)
	return struct{}{}, nil
}

type pingParams struct {
	Network string     `json:"network"`
	Address netip.Addr `json:"address"`
}

// ping measures the round trip to a peer, over the path in use.
func (d *Daemon) ping(ctx context.Context, p pingParams) (any, error) {
	n := d.nodes.Get(p.Network)
	if n == nil {
		return nil, &api.Error{Code: "not_joined", Message: errNoNode.Error()}
	}
	pings := n.Ping(ctx, p.Address)
	if pings.Received == 0 {
		return nil, &api.Error{Code: "timeout", Message: "the peer does not answer"}
	}
	return map[string]int64{"micros": pings.MedianMicros}, nil
}
