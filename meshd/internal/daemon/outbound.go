package daemon

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"gstacks/meshd/internal/engine"
	"gstacks/meshd/internal/node"
	"gstacks/meshd/internal/relay"
	"gstacks/meshd/internal/socket"
	"gstacks/meshd/internal/wire"
)

const (
	appDeadline     = 3 * time.Second
	verdictDeadline = judgeDeadline + time.Second // the target may wait for its topology, then for its app
)

var errNoNode = errors.New("this host has not joined the network's mesh")

// outbound takes a stream that a sandbox opened to a virtual address.
func (d *Daemon) outbound(sandbox string, original netip.AddrPort, c *socket.Conn) {
	var (
		permit  engine.Outbound
		version uint64
		flow    *relay.Flow
		err     error
		source  = relay.Local(c)
	)
	ok := d.engine.WithOutbound(sandbox, original, func(o *engine.Outbound, v uint64) {
		permit, version = *o, v
		flow, err = d.flows.Open(outboundInfo(o), source)
	})
	switch {
	case !ok:
		d.counters.Denied.Add(1)
		c.Close() // resets
	case err != nil: // no budget: Open has reset the stream and told so
	case permit.Target.Kind == engine.ToSandbox:
		d.local(flow, source, permit)
	default:
		d.remote(flow, source, permit, version)
	}
}

func outboundInfo(o *engine.Outbound) relay.Info {
	info := relay.Info{Direction: "outbound", Permit: o.ID, Network: o.Network, Alias: o.Alias, Port: o.Port,
		Source: o.AskedBy(), Target: o.Target.Node, Peer: o.Target.Node, Rules: o.Rules, Limits: o.Limits}
	if o.Target.Kind == engine.ToSandbox {
		info.Direction, info.Target, info.Peer = "local", o.Target.Sandbox, ""
	}
	return info
}

// local joins two sandboxes of this host, with no mesh between.
func (d *Daemon) local(flow *relay.Flow, source *relay.Side, permit engine.Outbound) {
	app, err := d.engine.Dial(context.Background(), permit.Target.Sandbox, permit.Port, appDeadline)
	if err != nil {
		flow.Fail(relay.Unreachable, err)
		return
	}
	target := relay.Local(app)
	if flow.Attach(target) {
		flow.Relay(source, target, nil)
	}
}

// remote opens a mesh stream, and lets the client's bytes flow before the verdict.
func (d *Daemon) remote(flow *relay.Flow, source *relay.Side, permit engine.Outbound, version uint64) {
	stream, n, err := d.dial(context.Background(), permit.Target.Address, wire.Preface{Network: permit.Network, Alias: permit.Alias,
		Port: permit.Port, Source: permit.AskedBy(), Version: version, Trace: flow.ID()})
	if err != nil {
		flow.Fail(relay.Unreachable, err)
		return
	}
	target := relay.Mesh(stream, false, n.Chunked())
	if !flow.Attach(target) {
		return
	}
	flow.Relay(source, target, func() (relay.End, error) {
		v, err := readVerdict(context.Background(), stream)
		switch {
		case err != nil:
			return relay.Unreachable, err
		case !v.OK:
			return endOf(v.Code), &refusal{v}
		}
		target.ChunkIn(v.Framed)
		return "", nil
	})
}

// dial opens a mesh stream to the meshd of a node of the preface's network, and
// says the preface on the way.
func (d *Daemon) dial(ctx context.Context, to netip.Addr, p wire.Preface) (net.Conn, *node.Node, error) {
	n, first, err := d.introduce(p)
	if err != nil {
		return nil, nil, err
	}
	c, err := n.Dial(ctx, to, first)
	return c, n, err
}

// introduce finds the node of the preface's network, and words the preface.
func (d *Daemon) introduce(p wire.Preface) (*node.Node, []byte, error) {
	n := d.nodes.Get(p.Network)
	if n == nil {
		return nil, nil, errNoNode
	}
	p.V, p.Framed = wire.Version, n.Chunked()
	frame, err := wire.Frame(p)
	return n, frame, err
}

// readVerdict waits for what the target says, for verdictDeadline and no longer than ctx.
func readVerdict(ctx context.Context, stream net.Conn) (wire.Verdict, error) {
	stream.SetReadDeadline(time.Now().Add(verdictDeadline))
	stop := context.AfterFunc(ctx, func() { stream.SetReadDeadline(time.Unix(1, 0)) })
	v, err := wire.ReadVerdict(stream)
	if !stop() {
		return wire.Verdict{}, ctx.Err()
	}
	stream.SetReadDeadline(time.Time{})
	return v, err
}

func endOf(c wire.Code) relay.End {
	switch c {
	case wire.Unreachable:
		return relay.Unreachable
	case wire.Limit:
		return relay.Limited
	}
	return relay.Refused
}
